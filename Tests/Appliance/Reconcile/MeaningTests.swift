import Testing

@testable import Appliance
@testable import Reconcile
@testable import Vocabulary

@Suite("What balance transactions mean")
struct MeaningTests {
    private static func line(
        _ type: String, amount: Int64 = -100, fee: Int64 = 0, source: String = "x_1",
        category: String? = nil
    ) -> BalanceTransaction {
        BalanceTransaction(
            id: "txn_1", type: type, source: source, reportingCategory: category,
            amount: MinorUnits(amount), fee: MinorUnits(fee), net: MinorUnits(amount - fee),
            currency: Given.usd, created: Instant(seconds: 1), availableOn: Instant(seconds: 1),
            isConverted: false)
    }

    private static func word(_ meaning: BalanceTransaction.Meaning) -> String {
        switch meaning {
        case .movement(let key, let processor, let fee):
            "\(key) \(processor.rawValue) fee \(fee.rawValue)"
        case .told(let key, let processor, _): "told \(key) \(processor.rawValue)"
        case .failedPayment(let key, let fee): "failed \(key ?? "?") fee \(fee.rawValue)"
        case .own(let account): "own \(account.rawValue)"
        case .unknown: "unknown"
        }
    }

    @Test(
        "a balance transaction names the movement that it settles",
        arguments: [
            (line("charge", amount: 500, fee: 45, source: "ch_1"), "charge:ch_1 500 fee 45"),
            (line("payment", amount: 500, source: "py_1"), "charge:py_1 500 fee 0"),
            (line("refund", source: "re_1"), "refund:re_1 -100 fee 0"),
            (line("payment_refund", source: "pyr_1"), "refund:pyr_1 -100 fee 0"),
            (line("refund_failure", amount: 100, source: "re_1"), "refund_failed:re_1 100 fee 0"),
            (line("payment_refund", amount: 100, source: "re_1"), "refund_failed:re_1 100 fee 0"),
            (line("adjustment", amount: 100, source: "re_1"), "refund_failed:re_1 100 fee 0"),
            (line("adjustment", fee: 15, source: "dp_1"), "told dispute:txn_1 -115"),
            (line("adjustment", fee: 15, source: "ch_1"), "told dispute:txn_1 -115"),
            (
                line("adjustment", source: "odd", category: "dispute_reversal"),
                "told dispute:txn_1 -100"
            ),
            (line("payout", source: "po_1"), "payout:po_1 -100 fee 0"),
            (line("payout_cancel", amount: 100, source: "po_1"), "payout_failed:po_1 100 fee 0"),
            (line("payout_failure", amount: 100, source: "po_1"), "payout_failed:po_1 100 fee 0"),
            (
                line("payment_failure_refund", fee: -40, source: "py_1"),
                "failed charge:py_1 fee -40"
            ),
            (line("adjustment", source: ""), "own adjustments"),
            (line("stripe_fee", source: ""), "own fees"), (line("tax_fee"), "own fees"),
            (line("reserve_transaction"), "own reserves"), (line("topup", source: ""), "own bank"),
            (line("topup", amount: 100, source: "tu_1"), "told topup:tu_1 100"),
            (line("topup_reversal", source: "tu_1"), "told topup_reversed:tu_1 -100"),
            (line("transfer", source: ""), "own transfers"),
            (line("transfer", source: "tr_1"), "told transfer:tr_1 -100"),
            (
                line("transfer_refund", amount: 100, source: "trr_1"),
                "told transfer_reversed:trr_1 100"
            ),
            (line("transfer_failure", amount: 100, source: "tr_1"), "payout_failed:tr_1 100 fee 0"),
            (line("application_fee", source: ""), "own application_fees"),
            (line("application_fee", amount: 90, source: "fee_1"), "told application_fee:fee_1 90"),
            (
                line("application_fee_refund", source: "fr_1"),
                "told application_fee_refunded:fr_1 -100"
            ),
            (line("payout", amount: 100, source: "po_2"), "payout:po_2 100 fee 0"),
            (line("payout_failure", source: "po_2"), "payout_failed:po_2 -100 fee 0"),
            (line("payment_failure_refund", source: "pyr_1"), "failed ? fee 0"),
            (line("issuing_transaction"), "unknown"), (line("never_heard_of"), "unknown"),
            (line("charge", source: ""), "unknown"),
        ])
    func meaning(line: BalanceTransaction, expected: String) {
        #expect(Self.word(line.meaning) == expected)
    }

    @Test(
        "a failed payment is taken back from what the event alone says, or refused",
        arguments: [
            (
                500, "usd", "payment_reversal",
                "payment_reversed charge_reversed:txn_1 500 usd of py_1"
            ),
            (
                900, "usd", "payment_failure_refund",
                "payment_reversed charge_reversed:py_1 500 usd of py_1"
            ),
            (499, "usd", "payment_reversal", "refused bad_amount booked.amount"),
            (500, "eur", "payment_reversal", "refused bad_currency booked.currency"),
        ])
    func takenBack(held: Int, currency: String, type: String, expected: String) {
        let text = """
            {"id":"evt_tillbox_back_txn_1","object":"event","type":"tillbox.balance_transaction",
             "created":1,"livemode":false,"data":{"booked":{"amount":\(held),
             "currency":"\(currency)"},"object":{"id":"txn_1","object":"balance_transaction",
             "type":"\(type)","amount":-500,"fee":0,"net":-500,"currency":"usd","created":1,
             "source":"py_1"}}}
            """
        let outcome = EventValidator(defaultMerchant: MerchantID("m")).validate(Array(text.utf8))
        let said: String =
            switch outcome {
            case .movements(let events, cardNumbersMasked: _):
                events.map {
                    "\($0.kind.rawValue) \($0.movement) \($0.amount.rawValue) "
                        + "\($0.currency.code) of \($0.related ?? "")"
                }.joined(separator: ", ")
            case .ignored(_, let reason): "ignored \(reason.rawValue)"
            case .refused(let refusal): "refused \(refusal.code.rawValue) \(refusal.detail)"
            }
        #expect(said == expected)
    }

    @Test("every type that Stripe documents has a meaning, or is known to have none")
    func everyType() {
        #expect(BalanceTransactionType.allCases.count == 50)
        let unbookable = BalanceTransactionType.allCases.filter {
            Self.line($0.rawValue).meaning == .unknown
        }
        #expect(unbookable.count == 14, "\(unbookable)")
    }

    @Test("what is charged says how much leaves the balance, and against what")
    func charged() {
        #expect(Self.line("charge", amount: 500, fee: 45).charged?.taken == MinorUnits(45))
        #expect(Self.line("charge", amount: 500).charged == nil)
        #expect(Self.line("refund", fee: -45).charged?.taken == MinorUnits(-45))
        #expect(Self.line("stripe_fee", amount: -70).charged?.taken == MinorUnits(70))
        #expect(Self.line("topup", amount: 70, source: "").charged?.taken == MinorUnits(-70))
        #expect(Self.line("topup", amount: 70, source: "").charged?.against == .bank)
        // Its webhook tells of it, or its source.
        #expect(Self.line("topup", amount: 70, source: "tu_1").charged == nil)
        #expect(Self.line("adjustment", fee: 15, source: "dp_1").charged == nil)
    }
}

@Suite("When runs are due")
struct ReconcileScheduleTests {
    private let schedule = ReconcileSchedule(nightlyMinute: 150, sweepSeconds: 3600)
    /// 2026-02-01T00:00:00Z
    private let midnight = ReconcileFixture.start

    private func at(_ hours: Double) -> Instant {
        Instant(seconds: midnight + Int64(hours * 3600))
    }

    @Test("a night that was missed is due at once; one that was not, the next night")
    func nightly() {
        func due(_ finished: Double?, now: Double) -> Instant? {
            schedule.nightlyDue(finished: finished.map(at), begun: nil, now: at(now))
        }
        #expect(due(nil, now: 12) == at(12))
        #expect(due(2.6, now: 12) == at(26.5))
        #expect(due(2.4, now: 12) == at(12))
        #expect(due(-21, now: 1) == at(2.5))
        #expect(due(-22, now: 1) == at(1))
        #expect(ReconcileSchedule().nightlyDue(finished: nil, begun: nil, now: at(1)) == nil)
    }

    @Test(
        "nights are missed once their time has passed by more than a moment",
        arguments: [
            (2.5, 2.6, 0), (2.5, 26.5, 0), (2.5, 26.53, 0), (2.5, 26.54, 1), (2.5, 74.0, 2),
            (2.4, 2.6, 1), (1.0, 50.0, 2), (26.5, 3.0, 0),
        ])
    func missed(finished: Double, now: Double, expected: Int64) {
        #expect(schedule.nightsMissed(since: at(finished), now: at(now)) == expected)
        #expect(ReconcileSchedule().nightsMissed(since: at(finished), now: at(now)) == 0)
    }

    @Test("what failed is tried again after a while")
    func retries() {
        let failed = RunRecord(
            id: 1, cause: .schedule, state: .failed, from: at(0), to: at(3), startedAt: at(3),
            pages: 0, transactions: 0)
        #expect(
            schedule.nightlyDue(finished: nil, begun: failed, now: at(3))
                == Instant(seconds: at(3).seconds + 600))
        #expect(schedule.nightlyDue(finished: nil, begun: failed, now: at(4)) == at(4))
        let sweep = SweepRecord(
            id: 2, state: .failed, from: at(0), to: at(3), startedAt: at(3))
        #expect(
            schedule.sweepDue(finished: nil, begun: sweep, now: at(3))
                == Instant(seconds: at(3).seconds + 600))
    }

    @Test("a sweep whose period ended before its time is not done again at once")
    func shortened() {
        let whole = SweepRecord(
            id: 1, state: .finished, from: at(0), to: at(2), startedAt: at(2))
        let short = SweepRecord(
            id: 2, state: .finished, from: at(1), to: at(1.5), startedAt: at(3))
        #expect(schedule.sweepDue(finished: whole, begun: short, now: at(3)) == at(4))
        #expect(schedule.sweepDue(finished: whole, begun: whole, now: at(3)) == at(3))
    }

    @Test("a time of day is read, anything else is not")
    func times() {
        #expect(ReconcileSchedule.minute(of: "02:30") == 150)
        #expect(ReconcileSchedule.minute(of: "0:00") == 0)
        for bad in ["24:00", "2:60", "0230", "-1:00", "a:b", "1:2:3", ""] {
            #expect(ReconcileSchedule.minute(of: bad) == nil)
        }
    }
}
