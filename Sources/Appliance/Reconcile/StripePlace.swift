/// Where somebody is who reads one of Stripe's lists, page by page.
///
/// A list ends. One that leads back to where it was, as a proxy's may that keeps answers without
/// their query, would be read for ever, and everything that is due later would wait behind it. So a
/// place is remembered, another one at each power of two of the pages (Brent's way of finding a
/// circle): whichever circle it is, it is noticed within a few times its own length, and nothing
/// grows meanwhile.
struct StripePlace: Sendable {
    /// Of the list.
    let path: String
    /// The id of the last object that was read; nil at the list's beginning.
    private(set) var cursor: String?
    private(set) var hasMore = true
    private var pages = 0
    private var remembered: String?
    private var rememberedUntil = 1

    /// A hundred million objects: what is longer never ends.
    static let pageCountMax = 1_000_000

    /// - Parameter cursor: the id of the object to go on behind.
    init(in path: String, after cursor: String? = nil) {
        self.path = path
        self.cursor = cursor
        remembered = cursor
    }

    /// Moves behind a page.
    ///
    /// - Parameter last: the id of its last object; nil for an empty page.
    /// - Throws: `.endless` if the list cannot be read to its end.
    mutating func move(behind last: String?, hasMore: Bool) throws(StripeError) {
        pages += 1
        self.hasMore = hasMore
        guard hasMore else { return }
        guard let last, last != cursor, last != remembered, pages < Self.pageCountMax else {
            throw .endless(path: path, pages: pages)
        }
        cursor = last
        if pages == rememberedUntil { (remembered, rememberedUntil) = (last, pages * 2) }
    }
}
