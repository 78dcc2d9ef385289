import Traffic
import Vocabulary

/// `/v1/account` and `/v1/accounts`: the platform's own account and those connected to it.
extension TwinState {
    mutating func accountCall(
        _ method: APIRequest.Method, _ rest: [String], _ parameters: APIParameters, now: Int64
    ) throws(APIRefusal) -> APIReply {
        switch (method, rest.count) {
        case (.get, 0): return try listAccounts(parameters)
        case (.post, 0):
            var profile = TwinAccountProfile()
            try profile.change(parameters)
            let account = books[0].ids.string(.account, ObjectSerial(UInt64(books.count)))
            open(account, profile, now: now)
            return written(books.count - 1)
        case (.get, 1): return written(try known(rest[0]))
        case (_, 2...3) where rest[1] == "external_accounts":
            let place = try known(rest[0])
            return try books[place].externalAccountCall(
                method, Array(rest.dropFirst(2)), parameters)
        case (.post, 1):
            let place = try known(rest[0])
            try books[place].profile.change(parameters)
            books[place].tell(.accountUpdated, .account(books[place].profile))
            return written(place)
        case (_, 2...3) where rest[1] == "external_accounts":
            return try books[known(rest[0])].externalAccountCall(
                method, Array(rest.dropFirst(2)), parameters)
        default: throw TwinBooks.unknownAddress(method, ["accounts"] + rest)
        }
    }

    private func known(_ account: String) throws(APIRefusal) -> Int {
        guard let place = place(of: account) else {
            throw TwinBooks.noSuch("account", account, parameter: "account", status: 404)
        }
        return place
    }

    private func written(_ place: Int) -> APIReply {
        var writer = JSONWriter()
        books[place].writeAccount(into: &writer)
        return .written(writer.bytes, id: books[place].accountID)
    }

    /// The connected accounts, newest first.
    private func listAccounts(_ parameters: APIParameters) throws(APIRefusal) -> APIReply {
        var query = try books[0].pageLimit(parameters)
        if let id = try parameters.text("starting_after") { query.startingAfter = try known(id) }
        if let id = try parameters.text("ending_before") { query.endingBefore = try known(id) }
        let times = try parameters.created()
        let sellers = 1..<books.count
        let bounds = times.places(in: books.dropFirst()) { $0.opened }
        let page = query.page(
            of: sellers, within: (bounds.lowerBound + 1)..<(bounds.upperBound + 1)
        ) { _ in true }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("object", "list")
        writer.key("data")
        writer.beginArray()
        for place in page.places { books[place].writeAccount(into: &writer) }
        writer.endArray()
        writer.member("has_more", page.hasMore)
        writer.member("url", "/v1/accounts")
        writer.endObject()
        return .written(writer.bytes, id: nil)
    }
}

/// What an account's owner says of it.
struct TwinAccountProfile: Hashable, Sendable {
    var type = "standard"
    var country = "US"
    var email: String? = "twin@example.com"
    var name: String?
    var metadata: [FormField] = []
    /// Nil for the twin's own setting.
    var payoutSchedule: TwinSettings.PayoutSchedule?

    mutating func change(_ parameters: APIParameters) throws(APIRefusal) {
        var after = self
        if let type = try parameters.text("type") {
            guard ["standard", "express", "custom"].contains(type) else {
                throw parameters.invalid("type", type)
            }
            after.type = type
        }
        after.country = try parameters.text("country")?.uppercased() ?? country
        if parameters.has("email") { after.email = try parameters.text("email") }
        if let business = parameters.below("business_profile") {
            if business.has("name") { after.name = try business.text("name") }
            business.tree.markRead()
        }
        after.metadata = try parameters.metadata(metadata)
        if let settings = parameters.below("settings") {
            if let interval = try settings.below("payouts")?.below("schedule")?.text("interval") {
                guard let schedule = TwinSettings.PayoutSchedule(rawValue: interval) else {
                    throw parameters.invalid("settings[payouts][schedule][interval]", interval)
                }
                after.payoutSchedule = schedule
            }
            settings.tree.markRead()
        }
        parameters.ignore(
            "account_token", "business_type", "capabilities", "company", "controller",
            "default_currency", "documents", "external_account", "groups", "individual",
            "tos_acceptance")
        try parameters.finish()
        self = after
    }
}
