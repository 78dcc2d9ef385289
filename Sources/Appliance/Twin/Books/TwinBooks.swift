import Traffic
import Vocabulary

/// Everything that one Stripe account holds, and the rules by which it changes.
///
/// It reads no clock, draws no chance and does no I/O: times come in with the calls, and what
/// happened goes out as events. So the same calls at the same times make the same books.
struct TwinBooks: Sendable {
    let ids: StripeIDs
    /// They may be others from some time on.
    var settings: TwinSettings
    /// The Connect account, nil for the platform's own books.
    let account: String?
    var profile = TwinAccountProfile()
    /// The accounts that the platform's books may send money to.
    var connectedAccounts: Set<String> = []
    /// Of the API, in whose shapes objects are written.
    var version = StripeVersion.twin
    /// When the account began, seconds since 1970.
    let opened: Int64
    /// Seconds since 1970; it never falls.
    private(set) var now: Int64

    var customers = TwinTable<TwinCustomer>()
    var methods = TwinTable<TwinPaymentMethod>()
    var intents = TwinTable<TwinPaymentIntent>()
    var charges = TwinTable<TwinCharge>()
    var refunds = TwinTable<TwinRefund>()
    var disputes = TwinTable<TwinDispute>()
    var transactions = TwinTable<TwinTransaction>()
    var payouts = TwinTable<TwinPayout>()
    var transfers = TwinTable<TwinTransfer>()
    var reversals = TwinTable<TwinTransferReversal>()
    var applicationFees = TwinTable<TwinApplicationFee>()
    var feeRefunds = TwinTable<TwinFeeRefund>()
    var topUps = TwinTable<TwinTopUp>()
    /// Fees are found by ids that the charges' books have given them.
    var placeOfFee: [String: Ref<TwinApplicationFee>] = [:]
    /// Ids of other accounts' objects that balance transactions of this one come from.
    var foreignSources: [String] = []
    /// What other accounts' books have to do because of these; carried out in order.
    var orders: [ConnectOrder] = []
    var webhookEndpoints = TwinTable<TwinWebhookEndpoint>()
    var transactionsByKind: [TwinTransaction.Kind: [Ref<TwinTransaction>]] = [:]
    var transactionsByCurrency: [Currency: [Ref<TwinTransaction>]] = [:]
    var balance = TwinBalance()
    var agenda = TwinAgenda()
    var events = TwinEventStore()
    /// Numbers of events that nobody has been told yet.
    var untold: [Int] = []
    /// The call that is being answered, nil while time passes.
    var request: RequestMark?
    /// Accounts to be written whole where a call asks for it, by their ids.
    var accountTexts: [String: [UInt8]] = [:]
    /// What the call's `Stripe-Version` says; nil where it says nothing.
    var callerVersion: StripeVersion?
    /// While false, nothing is told: bulk payments are quiet.
    var tellsEvents = true
    /// Planted balance transactions whose source has others of its own.
    var furtherOfSources: [Ref<TwinTransaction>] = []

    /// - Parameters:
    ///   - seed: of this account's ids.
    ///   - now: when the account begins.
    init(seed: UInt64, account: String?, settings: TwinSettings, now: Int64) {
        ids = StripeIDs(seed: seed)
        self.account = account
        self.settings = settings
        opened = now
        self.now = now
        agenda.add(.midnight, at: Self.midnight(after: now))
    }

    static func midnight(after time: Int64) -> Int64 {
        (time / TwinBalance.daySeconds + 1) * TwinBalance.daySeconds
    }

    // MARK: Time

    /// Lets time pass. What falls due happens at its own time, in order.
    ///
    /// - Returns: whether anything happened.
    mutating func advance(to time: Int64) -> Bool {
        var hasActed = false
        let caller = request
        request = nil
        while let (task, due) = agenda.next(by: time) {
            now = max(now, due)
            carryOut(task)
            hasActed = true
        }
        request = caller
        now = max(now, time)
        return hasActed
    }

    /// When the next task is due.
    var nextDue: Int64? { agenda.nextDue }

    /// Takes over the time of other books, where everything that was due before has happened.
    mutating func catchUp(with time: Int64) { now = max(now, time) }

    private mutating func carryOut(_ task: TwinAgenda.Task) {
        switch task {
        case .midnight: beginDay()
        case .payoutLeaves(let payout): sendPayout(payout)
        case .payoutArrives(let payout): payPayout(payout)
        case .refundSettles(let refund, let fails):
            if fails { failRefund(refund) } else { succeedRefund(refund) }
        case .disputeDecided(let dispute, let isWon):
            closeDispute(dispute, isWon ? .won : .lost)
        case .disputeExpires(let dispute): expireDispute(dispute)
        case .inquiryEnds(let dispute): closeDispute(dispute, .warningClosed)
        case .authorisationExpires(let charge): expire(charge)
        case .debitSettles(let charge, let failure): settleDebit(charge, failure: failure)
        case .topUpArrives(let topUp): succeedTopUp(topUp)
        }
    }

    private mutating func beginDay() {
        agenda.add(.midnight, at: Self.midnight(after: now))
        if balance.release(now: now) { tell(.balanceAvailable, .balance(balanceLines)) }
        if profile.payoutSchedule ?? settings.payoutSchedule == .daily { payOutAutomatically() }
        events.forget(
            before: now - settings.eventDays * TwinBalance.daySeconds,
            countMax: settings.eventCountMax)
    }

    // MARK: The balance

    /// Books a change of the balance.
    mutating func book(
        _ kind: TwinTransaction.Kind, _ amount: Int64, fee: Int64 = 0, _ currency: Currency,
        from source: TwinTransaction.Source, availableOn: Int64? = nil, isReversal: Bool = false
    ) -> Ref<TwinTransaction> {
        let transaction = TwinTransaction(
            created: now, availableOn: availableOn ?? now, amount: amount, fee: fee,
            currency: currency, kind: kind, source: source, isReversal: isReversal)
        let ref = transactions.append(transaction)
        transactionsByKind[kind, default: []].append(ref)
        transactionsByCurrency[currency, default: []].append(ref)
        return ref
    }

    /// Puts a booked change where the next payout finds it.
    mutating func settle(_ ref: Ref<TwinTransaction>) {
        let transaction = transactions[ref]
        balance.add(
            transaction.net, transaction.currency, on: transaction.availableOn, now: now,
            member: ref)
    }

    /// When the money of a payment made now is available: at the beginning of a day.
    func availability(bypassesPending: Bool) -> Int64 {
        if bypassesPending { return now }
        return (now / TwinBalance.daySeconds + settings.settlementDays) * TwinBalance.daySeconds
    }

    var balanceLines: [TwinEventRecord.BalanceLine] {
        balance.currencies.map {
            .init(
                currency: $0, available: balance.available($0), pending: balance.pending($0))
        }
    }

    // MARK: Events

    /// Notes that something happened.
    ///
    /// - Parameter previous: writes the members of `previous_attributes`, if Stripe tells any.
    mutating func tell(
        _ type: TwinEventType, _ snapshot: TwinEventRecord.Snapshot,
        isOfRelease: Bool = false, previous: ((inout JSONWriter) -> Void)? = nil
    ) {
        guard tellsEvents else { return }
        var text: [UInt8]?
        if let previous {
            var writer = JSONWriter()
            writer.beginObject()
            previous(&writer)
            writer.endObject()
            text = writer.bytes
        }
        untold.append(
            events.append(
                TwinEventRecord(
                    created: now, type: type, snapshot: snapshot, previous: text,
                    request: request, isOfRelease: isOfRelease)))
        if events.end - events.first > settings.eventCountMax {
            events.forget(before: .min, countMax: settings.eventCountMax)
        }
    }

    func snapshot(_ ref: Ref<TwinCharge>) -> TwinEventRecord.Snapshot { .charge(ref, charges[ref]) }

    func snapshot(_ ref: Ref<TwinPaymentIntent>) -> TwinEventRecord.Snapshot {
        .paymentIntent(ref, intents[ref])
    }

    func snapshot(_ ref: Ref<TwinRefund>) -> TwinEventRecord.Snapshot { .refund(ref, refunds[ref]) }

    func snapshot(_ ref: Ref<TwinPayout>) -> TwinEventRecord.Snapshot { .payout(ref, payouts[ref]) }

    func snapshot(_ ref: Ref<TwinTransfer>) -> TwinEventRecord.Snapshot {
        .transfer(ref, transfers[ref])
    }

    func snapshot(_ ref: Ref<TwinApplicationFee>) -> TwinEventRecord.Snapshot {
        .applicationFee(ref, applicationFees[ref])
    }

    func snapshot(_ ref: Ref<TwinTopUp>) -> TwinEventRecord.Snapshot { .topUp(ref, topUps[ref]) }

    func snapshot(_ ref: Ref<TwinDispute>) -> TwinEventRecord.Snapshot {
        let dispute = disputes[ref]
        return .dispute(ref, dispute, dispute.transactions.map { transactions[$0] })
    }

    // MARK: Ids

    func id<Object: TwinObject>(_ ref: Ref<Object>) -> String {
        if Object.self == TwinApplicationFee.self { return applicationFees[Ref(ref.index)].id }
        return ids.string(prefix(of: ref), ObjectSerial(UInt64(ref.index) + 1))
    }

    private func prefix<Object: TwinObject>(of ref: Ref<Object>) -> StripeIDs.Prefix {
        if Object.self == TwinCharge.self, charges[Ref(ref.index)].isPayment { return .payment }
        if Object.self == TwinRefund.self, refunds[Ref(ref.index)].isOfPayment {
            return .paymentRefund
        }
        return Object.prefix
    }

    /// The object with this id in a table of so many.
    func ref<Object: TwinObject>(
        _ id: String, of type: Object.Type = Object.self, count: Int
    ) -> Ref<Object>? {
        if Object.self == TwinApplicationFee.self {
            return placeOfFee[id].map { Ref($0.index) }
        }
        let found = ids.serial(of: id, Object.prefix) ?? Object.otherPrefix.flatMap {
            ids.serial(of: id, $0)
        }
        guard let serial = found, serial.rawValue > 0, serial.rawValue <= UInt64(count) else {
            return nil
        }
        let ref = Ref<Object>(Int(serial.rawValue) - 1)
        // A charge has one of two prefixes, and no other charge has its serial.
        return Object.otherPrefix == nil || self.id(ref) == id ? ref : nil
    }
}
