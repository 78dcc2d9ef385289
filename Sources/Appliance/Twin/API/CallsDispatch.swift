/// The way from a path to the call it names.
extension TwinBooks {
    /// - Parameter parts: of the path behind `/v1/`.
    mutating func answer(
        _ method: APIRequest.Method, _ parts: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let rest = parts.dropFirst()
        if method == .get, parts.count == 2, parts[1] == "search", let first = parts.first,
            Self.searchable.contains(first)
        {
            throw Self.unknownAddress(method, parts)
        }
        switch parts.first {
        case "account" where method == .get && rest.isEmpty: return .account
        case "balance" where method == .get && rest.isEmpty: return .balance
        case "balance_transactions": return try transactionCall(method, rest, parameters)
        case "charges": return try chargeCall(method, rest, parameters)
        case "customers": return try customerCall(method, rest, parameters)
        case "disputes": return try disputeCall(method, rest, parameters)
        case "events": return try eventCall(method, rest, parameters)
        case "payment_intents": return try intentCall(method, rest, parameters)
        case "payment_methods": return try methodCall(method, rest, parameters)
        case "payouts": return try payoutCall(method, rest, parameters)
        case "refunds": return try refundCall(method, rest, parameters)
        case "webhook_endpoints": return try endpointCall(method, rest, parameters)
        default: throw Self.unknownAddress(method, parts)
        }
    }

    /// What Stripe searches besides listing it. The twin does not: its lists have filters.
    private static let searchable: Set<String> = ["charges", "customers", "payment_intents"]

    static func unknownAddress(
        _ method: APIRequest.Method, _ parts: some Sequence<String>
    ) -> APIRefusal {
        unknownAddress(method, path: "/v1/\(parts.joined(separator: "/"))")
    }

    static func unknownAddress(_ method: APIRequest.Method, path: String) -> APIRefusal {
        APIRefusal(
            status: 404,
            message: "Unrecognized request URL (\(method.rawValue): \(path)). Please see "
                + "https://stripe.com/docs or we can help at https://support.stripe.com/. "
                + "(The twin answers a part of Stripe's API.)")
    }

    static func noSuch(
        _ name: String, _ id: String, parameter: String, status: Int
    ) -> APIRefusal {
        APIRefusal(
            status: status, code: "resource_missing", message: "No such \(name): '\(id)'",
            parameter: parameter)
    }

    /// The object that the path names.
    func named<Object>(
        _ id: String, _ table: TwinTable<Object>, parameter: String = "id", status: Int = 404
    ) throws(APIRefusal) -> Ref<Object> {
        guard let ref: Ref<Object> = ref(id, count: table.count) else {
            let name = Object.name.replacing("_", with: "")
            throw Self.noSuch(
                Object.self == TwinPaymentMethod.self ? "PaymentMethod" : name, id,
                parameter: parameter, status: status)
        }
        return ref
    }

    /// The object that a parameter names; nil where there is no such parameter.
    func named<Object>(
        _ key: String, in parameters: APIParameters, _ table: TwinTable<Object>
    ) throws(APIRefusal) -> Ref<Object>? {
        guard let id = try parameters.text(key) else { return nil }
        return try named(id, table, parameter: parameters.name(key), status: 400)
    }

    // MARK: Lists

    /// `limit`, `starting_after`, `ending_before`.
    func pageQuery<Object>(
        _ parameters: APIParameters, _ table: TwinTable<Object>
    ) throws(APIRefusal) -> PageQuery {
        var query = try pageLimit(parameters)
        query.startingAfter = try named("starting_after", in: parameters, table)?.index
        query.endingBefore = try named("ending_before", in: parameters, table)?.index
        return query
    }

    func pageLimit(_ parameters: APIParameters) throws(APIRefusal) -> PageQuery {
        var query = PageQuery()
        if let limit = try parameters.integer("limit") {
            guard let limit = Int(exactly: limit), PageQuery.limits.contains(limit) else {
                throw APIRefusal(
                    code: "parameter_invalid_integer",
                    message: "limit must be between 1 and 100 (it currently is '\(limit)').",
                    parameter: "limit")
            }
            query.limit = limit
        }
        let both = parameters.has("starting_after") && parameters.has("ending_before")
        guard !both else {
            throw APIRefusal(
                message: "You may only specify one of these parameters: ending_before, "
                    + "starting_after.")
        }
        return query
    }

    /// One page of a table, of those of its objects in `candidates`.
    ///
    /// - Parameter candidates: rising; nil for all.
    func list<Object>(
        _ table: TwinTable<Object>, among candidates: [Ref<Object>]? = nil,
        _ parameters: APIParameters, url: String, kind: Expansion.Kind,
        _ reference: (Ref<Object>) -> ObjectReference,
        where matches: (Object) -> Bool = { _ in true }
    ) throws(APIRefusal) -> APIReply {
        let query = try pageQuery(parameters, table)
        let bounds = table.places(try parameters.created())
        let page =
            if let candidates {
                query.page(of: candidates.lazy.map(\.index), within: bounds) {
                    matches(table[Ref($0)])
                }
            } else {
                query.page(of: 0..<table.count, within: bounds) { matches(table[Ref($0)]) }
            }
        return .list(
            page.places.map { reference(Ref($0)) }, hasMore: page.hasMore, url: url, kind: kind)
    }
}
