import Traffic
import Vocabulary

/// The bank account that payouts go to, as Stripe's API writes it. Each account has one.
extension TwinBooks {
    var bankAccountID: String { ids.string(.bankAccount, ObjectSerial(1)) }

    func writeBankAccount(_ expansion: Expansion = .none, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", bankAccountID)
        writer.member("object", "bank_account")
        writer.key("account")
        if expansion["account"] != nil {
            writeAccount(into: &writer)
        } else {
            writer.string(accountID)
        }
        writer.nulls("account_holder_name", "account_holder_type", "account_type")
        writer.texts("available_payout_methods", ["standard"])
        writer.member("bank_name", "STRIPE TEST BANK")
        writer.member("country", "US")
        writer.member("currency", "usd")
        writer.nulls("customer")
        writer.member("default_for_currency", true)
        let serial = ObjectSerial(1)
        writer.member("fingerprint", String(ids.noise(serial, salt: 11), radix: 36))
        writer.member("last4", "6789")
        writer.fields("metadata", [])
        writer.member("routing_number", "110000000")
        writer.member("status", "new")
        writer.endObject()
    }

    /// `/v1/accounts/…/external_accounts`: the one bank account.
    func externalAccountCall(
        _ method: APIRequest.Method, _ rest: [String], _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        var writer = JSONWriter()
        switch (method, rest.count) {
        case (.get, 0):
            let wanted = try parameters.text("object")
            _ = try pageLimit(parameters)
            // There is one, so no page lies before or behind another.
            parameters.ignore("starting_after", "ending_before")
            writer.list(url: "/v1/accounts/\(accountID)/external_accounts") {
                if wanted != "card" { writeBankAccount(into: &$0) }
            }
            return .written(writer.bytes, id: nil)
        case (.get, 1) where rest[0] == bankAccountID:
            writeBankAccount(into: &writer)
            return .written(writer.bytes, id: bankAccountID)
        case (.get, 1):
            throw Self.noSuch("external account", rest[0], parameter: "id", status: 404)
        default:
            throw Self.unknownAddress(
                method, ["accounts", accountID, "external_accounts"] + rest)
        }
    }
}

extension JSONWriter {
    /// A list of all there is of something.
    mutating func list(url: String, _ elements: (inout JSONWriter) -> Void = { _ in }) {
        beginObject()
        member("object", "list")
        key("data")
        beginArray()
        elements(&self)
        endArray()
        member("has_more", false)
        member("url", url)
        endObject()
    }
}
