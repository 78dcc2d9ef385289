package import Vocabulary

/// What a bank says of money that Stripe sent to it, as docs/BANK.md compares the two.
package struct BankSide: Hashable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case arrived, different, late, missing, returned, earlier
        case inTransit = "in_transit"
    }

    /// An entry of a bank's statement, and the statement that tells it.
    package struct Entry: Hashable, Sendable {
        /// The day on which the bank booked it.
        package var day: Instant
        package var amount: MinorUnits
        /// In the bank's words.
        package var text: String
        /// The statement's number in the record, and what the bank calls it.
        package var statement: Int64
        package var name: String?
        package var account: String
        /// The statement's first and last day.
        package var from, to: Instant
        /// The file that it came in; empty where it came through the API or a pipe.
        package var file: String
        package var importedAt: Instant

        package init(
            day: Instant, amount: MinorUnits, text: String, statement: Int64, name: String?,
            account: String, from: Instant, to: Instant, file: String, importedAt: Instant
        ) {
            self.day = day
            self.amount = amount
            self.text = text
            self.statement = statement
            self.name = name
            self.account = account
            self.from = from
            self.to = to
            self.file = file
            self.importedAt = importedAt
        }
    }

    package var state: State
    package var currency: Currency
    /// What was sent; below zero where Stripe took it.
    package var sent: MinorUnits
    /// When it was due at the bank.
    package var due: Instant
    /// Days behind that; zero within the grace.
    package var lateDays: Int64
    /// The last day that statements of the currency tell of; nil where none was imported.
    package var toldUntil: Instant?
    /// What settles it; nil where nothing does.
    package var entry: Entry?
    /// What settled it until the bank corrected its statement, the oldest first.
    package var former: [Entry]

    package init(
        state: State, currency: Currency, sent: MinorUnits, due: Instant, lateDays: Int64,
        toldUntil: Instant?, entry: Entry?, former: [Entry]
    ) {
        self.state = state
        self.currency = currency
        self.sent = sent
        self.due = due
        self.lateDays = lateDays
        self.toldUntil = toldUntil
        self.entry = entry
        self.former = former
    }
}
