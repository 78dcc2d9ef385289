import Foundation
import Testing
import TwinSupport

@testable import Twin
@testable import Vocabulary

/// Copies every list in the two ways that connectors do, while the lists grow.
@Suite("Copying the twin's lists")
struct TwinSyncTests {
    static let resources = [
        "balance_transactions", "charges", "customers", "disputes", "events", "payment_intents",
        "payment_methods", "payouts", "refunds", "topups", "transfers", "webhook_endpoints",
    ]

    /// One of everything.
    private static func grow(_ caller: TwinCaller, _ number: Int) {
        let customer = caller.post(
            "/v1/customers", "name=n\(number)&payment_method=pm_card_visa"
        ).json.id
        let paid = caller.pay(20_000, card: "pm_card_bypassPending", "description=\(customer)").json
        _ = caller.post("/v1/refunds", "payment_intent=\(paid.id)&amount=500")
        _ = caller.pay(3_000, card: "pm_card_createDispute")
        _ = caller.post("/v1/payouts", "amount=100&currency=usd")
        _ = caller.post("/v1/transfers", "amount=100&currency=usd&destination=acct_1Shop")
        _ = caller.post("/v1/topups", "amount=100&currency=usd&description=t")
        _ = caller.post(
            "/v1/webhook_endpoints", "url=http://localhost/\(number)&enabled_events[]=*")
    }

    private static func world() throws -> TwinCaller {
        try TwinCaller { $0.connectedAccounts = ["acct_1Shop"] }
    }

    @Test("by created[gte] and starting_after, each object comes once, also those made meanwhile")
    func byTime() throws {
        let caller = try Self.world()
        for number in 0..<12 {
            Self.grow(caller, number)
            if number.isMultiple(of: 3) { caller.wait(1) }
        }
        var copies: [String: [String: Int]] = [:]
        var cursors: [String: Int64] = [:]
        for round in 0..<4 {
            for resource in Self.resources {
                let since = cursors[resource] ?? 0
                var (after, newest) = ("", since)
                let from = "created[gte]=\(since)&limit=100"
                var page: TestJSON
                repeat {
                    page = caller.get("/v1/\(resource)", from + after).json
                    for object in page["data"].list {
                        let created = object["created"]?.integer ?? 0
                        newest = max(newest, created)
                        // The cursor's own second comes again: more may have been made in it.
                        if created == since, copies[resource]?[object.id] != nil { continue }
                        copies[resource, default: [:]][object.id, default: 0] += 1
                    }
                    after = "&starting_after=\(page["data"].list.last?.id ?? "")"
                    // New ones are made between any two pages.
                    Self.grow(caller, 100 * round)
                } while page["has_more"] == true
                cursors[resource] = newest
                caller.wait(1)
            }
            caller.wait(1)
        }
        try Self.expectAll(of: caller, in: copies, upTo: cursors)
    }

    @Test("by ending_before, each object comes once, also those made meanwhile")
    func byPlace() throws {
        let caller = try Self.world()
        for number in 0..<12 { Self.grow(caller, number) }
        var copies: [String: [String: Int]] = [:]
        for resource in Self.resources {
            let oldest = try #require(
                caller.pages("/v1/\(resource)", "", limit: 100).last?.last?.id)
            copies[resource] = [oldest: 1]
            var cursor = oldest
            for round in 0..<3 {
                var page: TestJSON
                repeat {
                    page =
                        caller.get(
                            "/v1/\(resource)", "limit=100&ending_before=\(cursor)"
                        ).json
                    for object in page["data"].list {
                        copies[resource, default: [:]][object.id, default: 0] += 1
                    }
                    cursor = page["data"].list.first?.id ?? cursor
                    if round < 2 { Self.grow(caller, round) }
                } while page["has_more"] == true
            }
        }
        for resource in Self.resources {
            let counts = copies[resource] ?? [:]
            #expect(counts.values.allSatisfy { $0 == 1 }, "\(resource): \(counts)")
            let listed = caller.pages("/v1/\(resource)", "", limit: 100).joined().map(\.id)
            let last = listed.firstIndex { counts[$0] != nil } ?? 0
            #expect(Set(listed[last...]) == Set(counts.keys), "\(resource)")
            #expect(counts.count > 12, "\(resource)")
        }
    }

    /// All that was made before the cursor, and each once.
    private static func expectAll(
        of caller: TwinCaller, in copies: [String: [String: Int]], upTo cursors: [String: Int64]
    ) throws {
        for resource in resources {
            let counts = copies[resource] ?? [:]
            let late = counts.filter { $0.value != 1 }
            #expect(late.isEmpty, "\(resource): \(late)")
            let until = cursors[resource] ?? 0
            let due = caller.pages("/v1/\(resource)", "created[lt]=\(until)", limit: 100)
                .joined().map(\.id)
            #expect(due.count > 12, "\(resource)")
            #expect(Set(due).isSubset(of: counts.keys), "\(resource)")
        }
    }
}
