/// One of Stripe's test bank accounts for debits and what becomes of its payments
/// (docs.stripe.com/testing, US bank account).
struct TwinBankAccount: Hashable, Sendable {
    let number: String
    /// `success` of `pm_usBankAccount_success`.
    let name: String
    /// Why a debit comes back; nil where it succeeds.
    var failure: String?

    static let routingNumber = "110000000"

    var lastFour: String { String(number.suffix(4)) }

    static func account(number: String) -> TwinBankAccount? {
        all.first { $0.number == number }
    }

    /// - Parameter name: `pm_usBankAccount`, or with what becomes of it behind: `…_success`.
    static func account(named name: String) -> TwinBankAccount? {
        guard name.hasPrefix("pm_usBankAccount") else { return nil }
        let rest = name.dropFirst("pm_usBankAccount".count)
        return all.first { rest.isEmpty ? $0.name == "success" : rest == "_" + $0.name }
    }

    private static let all = [
        TwinBankAccount(number: "000123456789", name: "success"),
        TwinBankAccount(
            number: "000111111113", name: "accountClosed", failure: "account_closed"),
        TwinBankAccount(number: "000111111116", name: "noAccount", failure: "no_account"),
        TwinBankAccount(
            number: "000222222227", name: "insufficientFunds", failure: "insufficient_funds"),
        TwinBankAccount(
            number: "000333333335", name: "debitNotAuthorized", failure: "debit_not_authorized"),
        // It stays pending until a control decides.
        TwinBankAccount(number: "000000000009", name: "processing", failure: "processing"),
    ]

    var staysPending: Bool { failure == "processing" }

    static func message(of failure: String) -> String {
        switch failure {
        case "account_closed": "The customer's bank account has been closed."
        case "no_account": "The customer's bank account could not be located."
        case "insufficient_funds":
            "The customer's account has insufficient funds to cover this payment."
        case "debit_not_authorized":
            "The customer has notified their bank that this payment was unauthorized."
        default: "The customer's bank sent this payment back."
        }
    }
}
