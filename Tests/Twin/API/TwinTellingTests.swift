import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

/// What is left of an authorisation, and lists in charges and intents, as versions of the API tell.
@Suite("Tellings of the twin by API version")
struct TwinTellingTests {
    /// A caller whose events are also told in these versions.
    private static func caller(_ versions: String...) throws -> TwinCaller {
        let caller = try TwinCaller { $0.payoutSchedule = .manual }
        for version in versions {
            let answer = caller.post(
                "/v1/webhook_endpoints",
                "url=http://localhost&enabled_events[]=*&api_version=\(version)")
            #expect(answer.status == 200)
        }
        return caller
    }

    /// The objects that a version was told of, by type, newest last.
    private static func told(
        _ caller: TwinCaller, _ version: String, _ type: String
    ) -> [TestJSON] {
        let version = version.isEmpty ? nil : StripeVersion(version)
        return caller.told.events.filter { $0.type == type }.compactMap { event in
            event.body(in: version).flatMap { TwinCaller.parse($0)["data"]?["object"] }
        }
    }

    private static func authorise(_ caller: TwinCaller) -> String {
        caller.authorise(5_000, "usd").json.id
    }

    @Test("a cancel refunds nothing since 2025-03-31; before, a refund without balance transaction")
    func canceled() throws {
        let caller = try Self.caller("2020-08-27", "2024-06-20", "2025-03-31.basil")
        let intent = Self.authorise(caller)
        _ = caller.post("/v1/payment_intents/\(intent)/cancel")
        for version in ["", "2025-03-31.basil"] {
            #expect(Self.told(caller, version, "charge.refunded").isEmpty)
            #expect(Self.told(caller, version, "payment_intent.canceled").count == 1)
        }
        for version in ["2020-08-27", "2024-06-20"] {
            let charge = try #require(Self.told(caller, version, "charge.refunded").first)
            #expect(charge["captured"] == false)
            #expect(charge["amount_captured"] == .null)
            #expect(charge["amount_refunded"] == 5_000)
            #expect(charge["refunded"] == true)
            #expect(charge["balance_transaction"] == .null)
        }
        let old = try #require(Self.told(caller, "2020-08-27", "charge.refunded").first)
        let release = try #require(old["refunds"]?["data"].list.first)
        #expect(release["amount"] == 5_000)
        #expect(release["status"] == "succeeded")
        #expect(release["balance_transaction"] == .null)
        #expect(old["refunds"]?["total_count"] == 1)
        let new = try #require(Self.told(caller, "2024-06-20", "charge.refunded").first)
        #expect(new["refunds"] == .null)
        // The API of today knows of no refund either.
        #expect(caller.list("/v1/refunds").isEmpty)
        #expect(caller.get("/v1/refunds/\(release.id)").status == 404)
        #expect(!caller.list("/v1/events").contains { $0["type"] == "charge.refunded" })
        #expect(caller.list("/v1/balance_transactions").isEmpty)
    }

    @Test("a partial capture is one amount now, and was a capture with a refund of the rest")
    func partlyCaptured() throws {
        let caller = try Self.caller("2019-12-03", "2022-11-15")
        let intent = Self.authorise(caller)
        _ = caller.post("/v1/payment_intents/\(intent)/capture", "amount_to_capture=3000")
        let now = try #require(Self.told(caller, "", "charge.captured").first)
        #expect(now["amount_captured"] == 3_000)
        #expect(now["amount_refunded"] == 0)
        #expect(now["refunded"] == false)
        #expect(Self.told(caller, "", "charge.refunded").isEmpty)
        let then = try #require(Self.told(caller, "2022-11-15", "charge.captured").first)
        #expect(then["amount_captured"] == 3_000)
        #expect(then["amount_refunded"] == 2_000)
        #expect(then["refunded"] == false)
        let oldest = try #require(Self.told(caller, "2019-12-03", "charge.refunded").first)
        #expect(!oldest.keys.contains("amount_captured"))
        #expect(oldest["refunds"]?["data"].list.map { $0["amount"] } == [2_000])
        // A true refund beside it is another matter.
        _ = caller.post("/v1/refunds", "payment_intent=\(intent)&amount=1000")
        let both = try #require(Self.told(caller, "2019-12-03", "charge.refunded").last)
        #expect(both["amount_refunded"] == 3_000)
        let transactions = both["refunds"]?["data"].list.map { $0["balance_transaction"] != .null }
        #expect(transactions?.sorted { !$0 && $1 } == [false, true])
        let today = try #require(Self.told(caller, "", "charge.refunded").last)
        #expect(today["amount_refunded"] == 1_000)
        #expect(TwinConnectTests.lines(caller) == ["charge 3000 117", "refund -1000 0"])
    }

    @Test("an authorisation that nobody captures expires after a week")
    func expires() throws {
        let caller = try Self.caller("2022-08-01")
        let intent = Self.authorise(caller)
        let direct = caller.post(
            "/v1/charges", "amount=700&currency=usd&source=tok_visa&capture=false"
        ).json.id
        let kept = Self.authorise(caller)
        _ = caller.post("/v1/payment_intents/\(kept)/capture")
        caller.wait(7 * 86_400 - 1)
        #expect(!caller.told.types.contains("charge.expired"))
        caller.wait(1)
        #expect(Self.told(caller, "", "charge.expired").map { $0["amount"] } == [5_000, 700])
        #expect(Self.told(caller, "", "charge.refunded").isEmpty)
        let canceled = caller.get("/v1/payment_intents/\(intent)").json
        #expect(canceled["status"] == "canceled")
        #expect(canceled["cancellation_reason"] == "expired")
        let old = Self.told(caller, "2022-08-01", "charge.refunded")
        #expect(old.map { $0["amount_refunded"] } == [5_000, 700])
        #expect(
            old.first?["refunds"]?["data"].list.first?["reason"] == "expired_uncaptured_charge")
        #expect(
            Self.told(caller, "2022-08-01", "payment_intent.canceled").first?["cancellation_reason"]
                == "automatic")
        #expect(caller.post("/v1/charges/\(direct)/capture").status == 400)
        #expect(caller.get("/v1/payment_intents/\(kept)").json["status"] == "succeeded")
    }

    @Test("before 2022-11-15 intents list their charges and charges their refunds, everywhere")
    func lists() throws {
        let caller = try Self.caller("2022-08-01", "2022-11-15")
        let intent = caller.pay(2_000).json
        let old = try #require(Self.told(caller, "2022-08-01", "payment_intent.succeeded").first)
        #expect(!old.keys.contains("latest_charge"))
        let charge = try #require(old["charges"]?["data"].list.first)
        #expect(charge.id == intent["latest_charge"]?.text)
        #expect(charge["refunds"]?["data"] == .array([]))
        let new = try #require(Self.told(caller, "2022-11-15", "payment_intent.succeeded").first)
        #expect(!new.keys.contains("charges"))
        #expect(new["latest_charge"]?.text == charge.id)
        let answer = caller.get("/v1/payment_intents/\(intent.id)", version: "2019-05-16").json
        #expect(answer["charges"]?["total_count"] == 1)
    }
}
