/// Which references are to be written as whole objects: the tree of `expand[]`.
struct Expansion: Hashable, Sendable {
    /// Stripe's bound for one path.
    static let depthMax = 4

    private(set) var children: [String: Expansion] = [:]

    static let none = Expansion()

    /// What is to be expanded below `field`; nil where the field keeps its id.
    subscript(field: String) -> Expansion? { children[field] }

    /// What is to be expanded below `field`, a part of the object and no reference.
    func below(_ field: String) -> Expansion { children[field] ?? .none }

    /// - Parameters:
    ///   - paths: `latest_charge.balance_transaction`; a list's begin with `data.`.
    ///   - root: what the answer is.
    init(_ paths: [String], of root: Kind, inList: Bool) throws(APIRefusal) {
        for path in paths {
            var fields = path.split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
            guard fields.count <= Self.depthMax + (inList ? 1 : 0) else {
                throw APIRefusal(
                    message: "You cannot expand more than \(Self.depthMax) levels of a property. "
                        + "Attempted to expand '\(path)'.", parameter: "expand")
            }
            if inList {
                guard fields.first == "data" else { throw Self.mustBeginWithData(path, root) }
                fields.removeFirst()
                guard !fields.isEmpty else { throw Self.cannotExpand(path) }
            }
            try add(fields[...], of: root, path: path)
        }
    }

    /// Refuses a call that changes something for what it asks to be expanded, before it does.
    static func check(_ paths: [String], of request: APIRequest) throws(APIRefusal) {
        guard !paths.isEmpty, request.method == .post,
            let kind = Kind(answering: request.path)
        else { return }
        _ = try Expansion(paths, of: kind, inList: false)
    }

    private init() {}

    private mutating func add(
        _ fields: ArraySlice<String>, of kind: Kind, path: String
    ) throws(APIRefusal) {
        guard let field = fields.first else { return }
        guard let next = kind == .absent ? .absent : kind.expandable[field] else {
            throw Self.cannotExpand(path)
        }
        var child = children[field] ?? Expansion()
        try child.add(fields.dropFirst(), of: next, path: path)
        children[field] = child
    }

    private static func cannotExpand(_ path: String) -> APIRefusal {
        APIRefusal(message: "This property cannot be expanded (\(path)).", parameter: "expand")
    }

    private static func mustBeginWithData(_ path: String, _ root: Kind) -> APIRefusal {
        var refusal = cannotExpand(path)
        refusal.message += " You may want to try expanding 'data.\(path)' instead."
        return refusal
    }
}
