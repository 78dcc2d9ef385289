import AppendLog
package import Vocabulary

/// Explains amounts of the ledger: an account by its entries, a movement by its transactions, and
/// each of these by the records that led to it, down to the bytes of the webhook. Reads only.
///
/// The ledger is read before the log, so that the log has all that the ledger knows. Blocking, and
/// for one caller at a time. Throws `LedgerError`, `StoreFailure`, and what `topic` throws.
package struct Explainer {
    let ledger: any LedgerReading
    private let statement: (any StatementReading)?
    let finder: RecordFinder
    /// Whether an account's entries are told without their records, each of which would be asked
    /// of a server.
    private let isBrief: Bool
    let verifiers: [String: SignatureVerifier]
    let told = ToldNumbers()
    let document = JSONDocument()

    /// Lines of the statement that are shown of one transaction.
    static let linesMax = 20

    /// - Parameters:
    ///   - topic: asked when a record is wanted first; nil where the log has no such topic, or
    ///     there is no log.
    ///   - endpoints: those whose secrets are known here.
    package init(
        ledger: any LedgerReading, statement: (any StatementReading)?,
        topic: @escaping (TopicID) throws -> TopicReader?, endpoints: [WebhookEndpoint]
    ) {
        self.init(
            ledger: ledger, statement: statement,
            finder: RecordFinder(partitionCount: nil) { try topic($0.topic) }, isBrief: false,
            endpoints: endpoints)
    }

    /// Over topics of several partitions, into which records go by their keys.
    ///
    /// - Parameters:
    ///   - partitions: of every topic.
    ///   - reader: of one of them, asked when a record is wanted.
    package init(
        ledger: any LedgerReading, statement: (any StatementReading)?, partitions: Int32,
        reader: @escaping (SourceLane) throws -> TopicReader, endpoints: [WebhookEndpoint]
    ) {
        self.init(
            ledger: ledger, statement: statement,
            finder: RecordFinder(partitionCount: partitions) { try reader($0) }, isBrief: true,
            endpoints: endpoints)
    }

    private init(
        ledger: any LedgerReading, statement: (any StatementReading)?, finder: RecordFinder,
        isBrief: Bool, endpoints: [WebhookEndpoint]
    ) {
        self.ledger = ledger
        self.statement = statement
        self.finder = finder
        self.isBrief = isBrief
        verifiers = Dictionary(
            endpoints.filter { !$0.secrets.isEmpty }.map {
                ($0.name, SignatureVerifier(secrets: $0.secrets))
            }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Names

    /// What an argument names.
    package enum Name: Hashable, Sendable {
        case account(AccountName, [Currency])
        case movement(MovementKey)
        case transaction(TransactionID)
    }

    /// What stands before Stripe's ids in the keys of movements.
    private static let prefixes = [
        "charge:", "refund:", "payout:", "dispute:", "fee:", "transfer:", "transfer_reversed:",
        "application_fee:", "application_fee_refunded:", "topup:",
    ]

    /// - Parameter words: an account, a movement or Stripe's id of what moved, or the number of a
    ///   transaction.
    /// - Returns: nil where the ledger has nothing of that name.
    package func name(_ words: String) throws -> Name? {
        if let number = Int64(words) {
            let id = TransactionID(number)
            return try ledger.transaction(id).map { _ in .transaction(id) }
        }
        let currencies = try ledger.currencies(of: words)
        if !currencies.isEmpty { return .account(AccountName(words), currencies) }
        return try Self.keys(words).first { try !ledger.transactions(of: $0).isEmpty }
            .map { .movement($0) }
    }

    package func lastTransaction() throws -> TransactionID { TransactionID(try ledger.head()) }

    /// Names that the ledger has and that are like these words: every account, and the movements
    /// that stand beside them in order.
    package func names(near words: String) throws -> [String] {
        var names = Set(try ledger.balances().map(\.account.rawValue))
        for key in Self.keys(words) {
            names.formUnion(try ledger.movements(near: key.rawValue, limit: 3))
        }
        return names.sorted()
    }

    private static func keys(_ words: String) -> [MovementKey] {
        let own = MovementKey(words)
        return words.contains(":") ? [own] : [own] + prefixes.map { MovementKey($0 + words) }
    }

    // MARK: Accounts

    /// - Parameters:
    ///   - after: the transaction behind which the page begins; 0 for the beginning.
    ///   - limit: entries of the page, at most; above 0.
    /// - Returns: nil where there is no such account in this currency.
    package func account(
        _ account: AccountName, _ currency: Currency, asOf: Instant? = nil,
        after: TransactionID = TransactionID(0), limit: Int
    ) throws -> AccountExplanation? {
        let name = account.rawValue
        guard let count = try ledger.count(name, currency, asOf: asOf, after: after) else {
            return nil
        }
        // One more than is shown says whether there are others.
        let rows = try ledger.entries(
            of: name, currency, asOf: asOf, after: after, through: count.head, limit: limit + 1)
        var balance = count.before.amount
        var entries: [ExplainedEntry] = []
        for row in rows.prefix(limit) {
            balance = balance &+ row.amount
            guard let transaction = try ledger.transaction(row.transaction) else {
                throw LedgerError.corrupt(
                    code: 0, detail: "an entry of transaction \(row.transaction), which is none")
            }
            entries.append(
                ExplainedEntry(
                    amount: row.amount, balance: balance,
                    transaction: try explain(transaction, withRecords: !isBrief)))
        }
        let next = rows.count > limit ? rows[limit - 1].transaction : nil
        return AccountExplanation(
            account: account, currency: currency, asOf: asOf, count: count, entries: entries,
            next: next,
            sumFaults: Self.faults(of: count, currency, end: next == nil ? balance : nil))
    }

    /// - Parameter end: the balance behind the last entry, where the page reaches it.
    private static func faults(
        of count: AccountCount, _ currency: Currency, end: MinorUnits?
    ) -> [String] {
        func amount(_ amount: MinorUnits) -> String {
            "\(currency.display(amount)) \(currency.code)"
        }
        var faults: [String] = []
        if !count.isRight {
            faults.append(
                "the ledger keeps a balance of \(amount(count.balance)), and the account's "
                    + Counted.words(count.all.entries, "entry comes", "entries come")
                    + " to \(amount(count.all.amount))")
        }
        if let end, end != count.counted.amount {
            faults.append(
                "the entries one by one come to \(amount(end)), and counted at once to "
                    + amount(count.counted.amount))
        }
        return faults
    }

    // MARK: Movements

    /// Transactions of a movement, in order.
    ///
    /// - Parameter asOf: only those that took effect at or before this.
    package func movement(
        _ key: MovementKey, asOf: Instant? = nil
    ) throws -> MovementExplanation {
        try explanation(of: key.rawValue, try ledger.transactions(of: key), asOf)
    }

    /// One transaction by its number, alike.
    package func transaction(
        _ id: TransactionID, asOf: Instant? = nil
    ) throws -> MovementExplanation {
        try explanation(of: "\(id)", try ledger.transaction(id).map { [$0] } ?? [], asOf)
    }

    private func explanation(
        of name: String, _ all: [PostedTransaction], _ asOf: Instant?
    ) throws -> MovementExplanation {
        let transactions = all.filter { $0.posting.effectiveAt <= asOf ?? .end }
        let payout = transactions.first { transaction in
            let kind = transaction.posting.kind
            return kind == .payout || kind == .payoutDebit
        }
        let id = payout.map { BookedRefund.objectID(of: $0.posting.movement) }
        return MovementExplanation(
            name: name, transactions: try transactions.map { try explain($0) },
            payout: try id.flatMap { try statement?.parts(ofPayout: $0) }, isPayout: payout != nil,
            bank: try payout.flatMap { try statement?.bankSide(of: $0.id) })
    }

    // MARK: One transaction

    /// - Parameter withRecords: whether the log is read, too.
    package func explain(
        _ transaction: PostedTransaction, withRecords: Bool = true
    ) throws -> ExplainedTransaction {
        var explained = ExplainedTransaction(transaction: transaction)
        explained.statement =
            try statement?.settling(transaction.id, limit: Self.linesMax) ?? []
        explained.faults = try faults(within: transaction)
        guard withRecords else {
            explained.records = [
                TopicID.webhookReceived, .paymentValidated, .paymentScored, .ledgerPosted,
            ].map { TrailPoint(topic: $0, state: .noLog) }
            return explained
        }
        let posted = try finder.posted(transaction.id, transaction.posting.movement)
        compare(transaction, posted.record?.record, &explained.faults)
        let scored = try records(behind: transaction, &explained)
        explained.records.append(
            TrailPoint(topic: .ledgerPosted, partition: posted.partition, state: posted.state))
        if let scored { compare(transaction.posting, scored, &explained) }
        explained.decision = try decision(behind: transaction.posting, &explained.faults)
        return explained
    }

    /// What a transaction says of itself: its link in the chain, and its sums.
    private func faults(within transaction: PostedTransaction) throws -> [String] {
        var faults: [String] = []
        let id = transaction.id
        let link = try ledger.link(of: transaction)
        if link.previous == nil {
            faults.append("transaction \(id): the one before it is missing")
        } else if !link.isRight {
            faults.append(
                "transaction \(id): its hash is not that of what stands there; see "
                    + "`tillbox ledger verify`")
        }
        for (currency, lines) in Dictionary(
            grouping: transaction.posting.entries, by: \.currency)
        where lines.reduce(0, { $0 &+ $1.amount.rawValue }) != 0 {
            faults.append("transaction \(id): its entries in \(currency.code) do not sum to zero")
        }
        return faults
    }

    private func compare(
        _ transaction: PostedTransaction, _ record: Record?, _ faults: inout [String]
    ) {
        guard let record else { return }
        let told = try? LedgerPosted(record.value ?? [], using: document)
        if told != LedgerPosted(transaction) {
            faults.append(
                "transaction \(transaction.id): ledger.posted was told something else of it")
        }
    }

    /// Finds the records from `payment.scored` back to the webhook.
    ///
    /// - Returns: what was scored, where it is still there.
    private func records(
        behind transaction: PostedTransaction, _ explained: inout ExplainedTransaction
    ) throws -> ScoredPayment? {
        let posting = transaction.posting
        let moment = Timestamp(milliseconds: transaction.postedAtMilliseconds)
        let keys = Self.keysTold(by: posting)
        let event = posting.eventID.rawValue
        let (received, validated, scored) =
            try finder.isKeyed
            ? keyedRecords(of: event, keys, stampedBy: moment)
            : records(of: event, keys, stampedBy: moment)
        let found: [(topic: TopicID, search: RecordFinder.Search)] = [
            (.webhookReceived, received), (.paymentValidated, validated), (.paymentScored, scored),
        ]
        explained.records = found.map { one in
            TrailPoint(topic: one.topic, partition: one.search.partition, state: one.search.state)
        }
        for point in explained.records where point.state == .missing {
            explained.faults.append(
                "transaction \(transaction.id): the log has no record of \(event) in "
                    + "\(point.topic.rawValue)")
        }
        explained.redrivenFrom = [scored, validated, received].lazy
            .compactMap { $0.record.flatMap { RedriveHeader.letter(of: $0.record) } }.first
        let payment = scored.record.flatMap {
            try? ScoredPayment($0.record.value ?? [], using: document)
        }
        if let record = received.record {
            read(record, payment?.event.movement, keys, posting, &explained)
            explained.webhook?.partition = received.partition
        }
        return payment
    }

    // MARK: What must fit together

    /// The posting beside what was scored, and that beside what the webhook tells.
    private func compare(
        _ posting: Posting, _ scored: ScoredPayment, _ explained: inout ExplainedTransaction
    ) {
        let (event, id) = (scored.event, explained.transaction.id)
        func words(_ event: PaymentEvent) -> String {
            "\(event.currency.display(event.amount)) \(event.currency.code)"
                + (event.fee == .zero ? "" : ", fee \(event.currency.display(event.fee))")
        }
        if let told = explained.told?.event, told.movement == event.movement,
            (told.amount, told.currency, told.fee) != (event.amount, event.currency, event.fee)
        {
            explained.faults.append(
                "transaction \(id): the webhook tells \(words(told)), and payment.scored has "
                    + words(event))
        }
        guard !posting.kind.isInternal, event.movement == posting.movement,
            let base = try? PostingRules.posting(for: scored)
        else { return }
        // Where a payment's money stands is for its best scoring to say.
        let agrees =
            base.kind == .payment
            ? base.entries.first == posting.entries.first { $0.account.isProcessor }
            : PostingRules.says(base, posting.entries)
        if base.kind != posting.kind || !agrees {
            explained.faults.append(
                "transaction \(id): payment.scored tells a \(event.kind.rawValue) of "
                    + "\(words(event)), and the ledger has another")
        }
    }
}

extension Instant {
    /// Behind every moment.
    fileprivate static let end = Instant(seconds: .max)
}
