/// First in, first out, in one array: what is taken leaves a gap at the front, which goes when it
/// is half of the array.
struct Fifo<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { head == elements.count }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        // Taken out, so that what it holds goes with it.
        let element = elements[head].take()
        head += 1
        if head >= 64, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    mutating func prepend(contentsOf others: Fifo) {
        elements.replaceSubrange(..<head, with: others.elements[others.head...])
        head = 0
    }

    /// Shows each to `body`, which may change it, and keeps those for which it says so.
    mutating func filter(_ body: (inout Element) -> Bool) {
        var kept: [Element?] = []
        for index in head..<elements.count {
            if var element = elements[index].take(), body(&element) { kept.append(element) }
        }
        elements = kept
        head = 0
    }
}
