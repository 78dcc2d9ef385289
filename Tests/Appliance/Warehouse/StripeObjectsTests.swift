import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Vocabulary
@testable import Warehouse

@Suite("Stripe's objects as the warehouse keeps them")
struct StripeObjectsTests {
    private static func event(
        _ id: String, _ type: String, _ created: Int64, _ object: String, livemode: Bool = false,
        account: String? = nil
    ) -> Record {
        let account = account.map { "\"account\":\"\($0)\"," } ?? ""
        let text = """
            {"id":"\(id)","object":"event","type":"\(type)","created":\(created),\(account)
             "livemode":\(livemode),"data":{"object":\(object)}}
            """
        return Record(
            key: ArraySlice(id.utf8), value: ArraySlice(text.utf8),
            timestamp: Timestamp(milliseconds: created * 1000 + 250))
    }

    private static func charge(
        refunded: Int64 = 0, transaction: String? = nil, captured: Bool = true
    ) -> String {
        """
        {"id":"ch_1","object":"charge","amount":5000,"amount_refunded":\(refunded),
         "balance_transaction":\(transaction.map { "\"\($0)\"" } ?? "null"),
         "captured":\(captured),"created":1770000000,"currency":"usd","customer":"cus_1",
         "livemode":false,"metadata":{"order": "7",  "note":"a\\"b"},"payment_method":"pm_1",
         "payment_method_details":{"type":"card","card":{"brand":"visa","funding":"credit",
         "country":"DE","last4":"4242","wallet":{"type":"apple_pay"}}},"status":"succeeded",
         "billing_details":{"name":"Ada","address":{"line1":"Way 1","country":"DE"}}}
        """
    }

    /// Takes records in order into a fresh state.
    private static func state(
        of records: [Record], in folder: TemporaryFolder
    ) throws -> (state: ExportState, objects: StripeObjects) {
        let state = try ExportState(in: folder.file("state"), source: "test")
        let document = JSONDocument()
        var objects = StripeObjects(livemode: false)
        for record in records { objects.take(record, document) }
        try state.write { draft in
            for object in objects.told { try draft.take(object) }
            for payout in objects.payouts { try draft.add(payout) }
        }
        return (state, objects)
    }

    /// The rows of a table, all days, each as a JSON object.
    private static func rows(
        _ table: WarehouseTable, _ state: ExportState
    ) throws -> [[String: Any]] {
        try state.read { reading in
            try reading.days(of: table.name).flatMap { day in
                try reading.objects(table.name, of: day, after: "", limit: 100).map { found in
                    let value = try JSONSerialization.jsonObject(with: Data(found.row.text.utf8))
                    return value as? [String: Any] ?? [:]
                }
            }
        }
    }

    @Test("a charge's last telling stands, in whichever order they come", arguments: [false, true])
    func lastTelling(isReversed: Bool) throws {
        let folder = try TemporaryFolder()
        let records = [
            Self.event("evt_1", "charge.succeeded", 1_770_000_000, Self.charge()),
            Self.event(
                "evt_2", "charge.updated", 1_770_000_005, Self.charge(transaction: "txn_1")),
            Self.event(
                "evt_3", "charge.refunded", 1_770_000_005,
                Self.charge(refunded: 100, transaction: "txn_1")),
        ]
        let (state, objects) = try Self.state(
            of: isReversed ? records.reversed() : records, in: folder)
        defer { state.close() }
        #expect(objects.unreadable == 0)
        let charges = try Self.rows(.charge, state)
        #expect(charges.count == 1)
        let charge = charges.first ?? [:]
        #expect(Set(charge.keys) == Set(WarehouseTable.charge.columns.map(\.name)))
        #expect(charge["amount_refunded"] as? Int == 100)
        #expect(charge["balance_transaction_id"] as? String == "txn_1")
        #expect(charge["created"] as? String == "2026-02-02T02:40:00Z")
        #expect(charge["dt"] as? String == "2026-02-02")
        #expect(charge["metadata"] as? String == #"{"order":"7","note":"a\"b"}"#)
        #expect(charge["billing_detail_address_line1"] as? String == "Way 1")
        #expect(charge["shipping_address_line_1"] is NSNull)
        #expect(charge["_fivetran_synced"] as? String == "2026-02-02T02:40:05.250Z")
        let card = try Self.rows(.paymentMethodCard, state).first ?? [:]
        #expect(card["brand"] as? String == "visa" && card["wallet_type"] as? String == "apple_pay")
        #expect(try Self.rows(.paymentMethod, state).first?["customer_id"] as? String == "cus_1")
    }

    @Test("card numbers in what somebody typed are masked; ids and telephone numbers are not")
    func cardNumbers() throws {
        let folder = try TemporaryFolder()
        let card = "4242424242424242"
        let object = Self.charge()
            .replacing("\"order\": \"7\"", with: "\"\(card)\":\"no 5555-5555-5555-4444\"")
            .replacing("\"Ada\"", with: "\"\(card)\",\"phone\":\"\(card)\"")
            .replacing("cus_1", with: card)
        let (state, objects) = try Self.state(
            of: [Self.event("evt_1", "charge.succeeded", 1_770_000_000, object)], in: folder)
        defer { state.close() }
        #expect(objects.unreadable == 0)
        let row = try Self.rows(.charge, state).first ?? [:]
        #expect(
            row["metadata"] as? String
                == #"{"************4242":"no ****-****-****-4444","note":"a\"b"}"#)
        #expect(row["billing_detail_name"] as? String == "************4242")
        #expect(row["billing_detail_phone"] as? String == card)
        #expect(row["customer_id"] as? String == card)
    }

    @Test("a line of the statement names the object's, before its event and behind it")
    func statementLine() throws {
        for isFirst in [true, false] {
            let folder = try TemporaryFolder()
            let records = [Self.event("evt_1", "charge.succeeded", 1_770_000_000, Self.charge())]
            let line = SourcedObject(table: .charge, source: "ch_1", id: "txn_9")
            let (state, _) = try Self.state(of: isFirst ? [] : records, in: folder)
            defer { state.close() }
            try state.write { try $0.add(line) }
            if isFirst {
                let document = JSONDocument()
                var objects = StripeObjects(livemode: false)
                objects.take(records[0], document)
                let told = objects.told
                try state.write { draft in for object in told { try draft.take(object) } }
            }
            let charge = try Self.rows(.charge, state).first
            #expect(charge?["balance_transaction_id"] as? String == "txn_9")
            #expect(try state.read { try $0.dirty(of: "charge") } == [20_486])
        }
    }

    @Test("a customer that a charge names gives way to what tells of itself", arguments: [
        false, true,
    ])
    func customer(isReversed: Bool) throws {
        let folder = try TemporaryFolder()
        let own = """
            {"id":"cus_1","object":"customer","created":1769000000,"livemode":false,
             "email":"ada@example.com","address":null}
            """
        let records = [
            Self.event("evt_1", "customer.created", 1_769_000_000, own),
            Self.event("evt_2", "charge.succeeded", 1_770_000_000, Self.charge()),
        ]
        let (state, _) = try Self.state(of: isReversed ? records.reversed() : records, in: folder)
        defer { state.close() }
        let customers = try Self.rows(.customer, state)
        #expect(customers.count == 1)
        #expect(customers.first?["email"] as? String == "ada@example.com")
        #expect(customers.first?["created"] as? String == "2026-01-21T12:53:20Z")
        #expect(customers.first?["is_deleted"] as? Bool == false)
    }

    @Test("another mode is left out, and what lacks a row's columns is counted")
    func leftOut() throws {
        let folder = try TemporaryFolder()
        let (state, objects) = try Self.state(
            of: [
                Self.event(
                    "evt_1", "charge.succeeded", 1_770_000_000, Self.charge(), livemode: true),
                Self.event(
                    "evt_2", "payout.created", 1_770_000_000,
                    "{\"id\":\"po_1\",\"object\":\"payout\",\"amount\":5,\"currency\":\"usd\"}"),
            ], in: folder)
        defer { state.close() }
        #expect(objects.unreadable == 1)
        #expect(objects.told.isEmpty && objects.payouts.isEmpty)
    }

    @Test("a payout keeps its first line and its account; automatic ones are asked for")
    func payout() throws {
        let folder = try TemporaryFolder()
        let body = """
            {"id":"po_1","object":"payout","amount":900,"arrival_date":1770076800,
             "automatic":true,"balance_transaction":"txn_out","created":1770000000,
             "currency":"jpy","destination":"ba_1","failure_balance_transaction":"txn_back",
             "livemode":false,"status":"failed","type":"bank_account","method":"standard"}
            """
        let (state, objects) = try Self.state(
            of: [Self.event("evt_1", "payout.failed", 1_770_090_000, body, account: "acct_7")],
            in: folder)
        defer { state.close() }
        let row = try Self.rows(.payout, state).first ?? [:]
        #expect(row["balance_transaction_id"] as? String == "txn_out")
        #expect(row["failure_balance_transaction_id"] as? String == "txn_back")
        #expect(row["destination_bank_account_id"] as? String == "ba_1")
        #expect(row["destination_card_id"] is NSNull)
        #expect(row["connected_account_id"] as? String == "acct_7")
        #expect(objects.payouts.map(\.account) == ["acct_7"])
        #expect(try state.read { try $0.payoutsToAsk(after: "", limit: 9) }.count == 1)
        try state.write { try $0.settlePayout("po_1", ["txn_out", "txn_a"]) }
        #expect(try state.read { try $0.payoutsToAsk(after: "", limit: 9) }.isEmpty)
        let parts = try state.read {
            try $0.parts(of: 20_486, after: ("", ""), limit: 9)
        }
        #expect(parts.map(\.line) == ["txn_a", "txn_out"])
    }
}
