/// An array in pieces of 256, which grows without moving what it holds.
///
/// A copy shares every piece until one side writes to it. So a frozen copy of a million customers
/// costs nothing when it is made, and a few kilobytes whenever the pipeline touches a new piece.
struct Chunked<Element> {
    private var chunks: [ContiguousArray<Element>] = []
    private(set) var count = 0

    private static var shift: Int { 8 }
    private static var mask: Int { 255 }

    mutating func append(_ element: Element) {
        if count & Self.mask == 0 {
            chunks.append(ContiguousArray(repeating: element, count: Self.mask + 1))
        } else {
            chunks[count >> Self.shift][count & Self.mask] = element
        }
        count += 1
    }

    subscript(index: Int) -> Element {
        _read {
            precondition(index < count, "element \(index) of \(count)")
            yield chunks[index >> Self.shift][index & Self.mask]
        }
        _modify {
            precondition(index < count, "element \(index) of \(count)")
            yield &chunks[index >> Self.shift][index & Self.mask]
        }
    }
}

extension Chunked: Sendable where Element: Sendable {}
