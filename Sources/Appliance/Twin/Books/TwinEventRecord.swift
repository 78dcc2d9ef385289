import DequeModule
import Traffic
import Vocabulary

/// The event types the twin tells, by Stripe's names.
enum TwinEventType: String, CaseIterable, Sendable {
    case accountUpdated = "account.updated"
    case applicationFeeCreated = "application_fee.created"
    case applicationFeeRefunded = "application_fee.refunded"
    case balanceAvailable = "balance.available"
    case chargeCaptured = "charge.captured"
    case chargeExpired = "charge.expired"
    case chargeFailed = "charge.failed"
    case chargePending = "charge.pending"
    case chargeRefunded = "charge.refunded"
    case chargeSucceeded = "charge.succeeded"
    case chargeUpdated = "charge.updated"
    case disputeClosed = "charge.dispute.closed"
    case disputeCreated = "charge.dispute.created"
    case disputeFundsReinstated = "charge.dispute.funds_reinstated"
    case disputeFundsWithdrawn = "charge.dispute.funds_withdrawn"
    case disputeUpdated = "charge.dispute.updated"
    case chargeRefundUpdated = "charge.refund.updated"
    case customerCreated = "customer.created"
    case customerDeleted = "customer.deleted"
    case customerUpdated = "customer.updated"
    case intentCapturable = "payment_intent.amount_capturable_updated"
    case intentCanceled = "payment_intent.canceled"
    case intentCreated = "payment_intent.created"
    case intentFailed = "payment_intent.payment_failed"
    case intentProcessing = "payment_intent.processing"
    case intentRequiresAction = "payment_intent.requires_action"
    case intentSucceeded = "payment_intent.succeeded"
    case methodAttached = "payment_method.attached"
    case methodDetached = "payment_method.detached"
    case methodUpdated = "payment_method.updated"
    case paymentCreated = "payment.created"
    case payoutCanceled = "payout.canceled"
    case payoutCreated = "payout.created"
    case payoutFailed = "payout.failed"
    case payoutPaid = "payout.paid"
    case payoutReconciled = "payout.reconciliation_completed"
    case payoutUpdated = "payout.updated"
    case refundCreated = "refund.created"
    case refundFailed = "refund.failed"
    case refundUpdated = "refund.updated"
    case topUpCanceled = "topup.canceled"
    case topUpCreated = "topup.created"
    case topUpFailed = "topup.failed"
    case topUpReversed = "topup.reversed"
    case topUpSucceeded = "topup.succeeded"
    case transferCreated = "transfer.created"
    case transferReversed = "transfer.reversed"
    case transferUpdated = "transfer.updated"
}

/// An event as the twin keeps it: the object as it was then, to be written when asked for. The
/// same bytes come out every time, at a tenth of their size in memory.
struct TwinEventRecord: Sendable {
    /// An object as it was.
    indirect enum Snapshot: Sendable {
        case account(TwinAccountProfile)
        case balance([BalanceLine])
        case customer(Ref<TwinCustomer>, TwinCustomer)
        case paymentMethod(Ref<TwinPaymentMethod>, TwinPaymentMethod)
        case paymentIntent(Ref<TwinPaymentIntent>, TwinPaymentIntent)
        case charge(Ref<TwinCharge>, TwinCharge)
        case refund(Ref<TwinRefund>, TwinRefund)
        /// With its balance transactions as they were.
        case dispute(Ref<TwinDispute>, TwinDispute, [TwinTransaction])
        case payout(Ref<TwinPayout>, TwinPayout)
        case transfer(Ref<TwinTransfer>, TwinTransfer)
        case applicationFee(Ref<TwinApplicationFee>, TwinApplicationFee)
        case topUp(Ref<TwinTopUp>, TwinTopUp)
    }

    /// A currency's line of the balance.
    struct BalanceLine: Sendable {
        var currency: Currency
        var available: Int64
        var pending: Int64
    }

    let created: Int64
    let type: TwinEventType
    let snapshot: Snapshot
    /// `previous_attributes`, a JSON object.
    let previous: [UInt8]?
    /// The call that caused it; nil where nobody called.
    let request: RequestMark?
    /// It tells of a release as a refund, which Stripe does before API 2025-03-31 only.
    var isOfRelease = false
}

/// A call, as events name it.
struct RequestMark: Hashable, Sendable {
    var serial: ObjectSerial
    var idempotencyKey: String?
}

/// The events of the last thirty days, by their numbers. Numbers are never used again.
struct TwinEventStore: Sendable {
    private var records: Deque<TwinEventRecord> = []
    private var numbersByType: [TwinEventType: Deque<Int>] = [:]
    /// The number of the oldest that is kept.
    private(set) var first = 0

    var end: Int { first + records.count }

    subscript(number: Int) -> TwinEventRecord? {
        guard number >= first, number < end else { return nil }
        return records[number - first]
    }

    /// - Returns: its number.
    mutating func append(_ record: TwinEventRecord) -> Int {
        let number = end
        records.append(record)
        numbersByType[record.type, default: []].append(number)
        return number
    }

    /// Forgets events made before `time`, and as many of the oldest as are above `countMax`.
    mutating func forget(before time: Int64, countMax: Int) {
        while let oldest = records.first, oldest.created < time || records.count > countMax {
            records.removeFirst()
            numbersByType[oldest.type]?.removeFirst()
            first += 1
        }
    }

    /// The numbers of the events of one type, rising.
    func numbers(of type: TwinEventType) -> Deque<Int> { numbersByType[type] ?? [] }

    /// The numbers of the events created within.
    func numbers(_ times: CreatedFilter) -> Range<Int> {
        guard !times.isAll else { return first..<end }
        let places = times.places(in: records) { $0.created }
        return (first + places.lowerBound)..<(first + places.upperBound)
    }
}
