import Daemon
import Foundation
import Traffic
import Twin
import Vocabulary

/// `tillbox bench twin`: Stripe's stand-in as a server against its HTTP server alone, and the world
/// that is played on it against the writer of templates.
struct BenchTwin {
    let context: BenchContext

    private static let peer = "the same server, empty 200"
    /// The rows of a list's page, as reconciliation reads them.
    private static let pageCount = 100
    private static let payment =
        "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true"

    func run() async throws -> [BenchRow] { try await requests() + world() }

    // MARK: The API

    /// One kind of call, in one round.
    private struct Call: Sendable {
        let measure: String
        let path: String
        var form: String?
        let count: Int
        var rates: [Double] = []
        var empty: [Double] = []
        /// Microseconds of the twin's processor time a request.
        var processor: [Double] = []
    }

    private func requests() async throws -> [BenchRow] {
        var calls: [Call] = []
        for round in 0..<context.rounds {
            context.show("the twin's API", round: round)
            let folder = try context.makeFolder()
            let twin = try await BenchChild(.twin, folder: folder)
            let empty = try await BenchChild(.emptyTwin, folder: folder)
            let known = try await Self.fill(twin)
            if calls.isEmpty { calls = self.calls(known) }
            for index in calls.indices {
                try await measure(&calls[index], on: twin, against: empty)
            }
            await twin.stop()
            await empty.stop()
            context.remove(folder)
        }
        return calls.flatMap { call in
            [
                BenchRow(
                    "twin", call.measure, unit: "requests/s", call.rates, against: Self.peer,
                    call.empty),
                BenchRow(
                    "twin", "\(call.measure), processor time", unit: "µs", better: .lower,
                    call.processor),
            ]
        }
    }

    /// - Parameter known: a payment intent that there is; ids follow from seed and order alone.
    private func calls(_ known: String) -> [Call] {
        let count = context.size(20_000, quick: 1_000)
        let page = "/v1/balance_transactions?limit=\(Self.pageCount)"
        return [
            Call(measure: "a payment, read", path: "/v1/payment_intents/\(known)", count: count),
            Call(
                measure: "\(Self.pageCount) balance transactions, listed", path: page,
                count: count / 20),
            Call(
                measure: "a payment, created and confirmed", path: "/v1/payment_intents",
                form: Self.payment, count: count / 2),
        ]
    }

    private func measure(
        _ call: inout Call, on twin: BenchChild, against empty: BenchChild
    ) async throws {
        let before = try await twin.read().processorMicroseconds
        let rate = try await BenchRequests(twin, call.path, form: call.form).rate(count: call.count)
        let used = try await twin.read().processorMicroseconds - before
        call.rates.append(rate)
        call.processor.append(used / Double(call.count))
        call.empty.append(
            try await BenchRequests(empty, call.path, form: call.form).rate(count: call.count))
    }

    /// Makes enough payments for a full page.
    ///
    /// - Returns: the id of the last one.
    private static func fill(_ twin: BenchChild) async throws -> String {
        for _ in 0..<pageCount {
            _ = try await BenchRequests(twin, "/v1/payment_intents", form: payment).once()
        }
        let list = try await BenchRequests(twin, "/v1/payment_intents?limit=1").once()
        let document = JSONDocument()
        return withExtendedLifetime(document) {
            var objects = (try? document.parse(list))?["data"]?.array
            return objects?.next()?["id"]?.string ?? ""
        }
    }

    // MARK: The world

    private func world() throws -> [BenchRow] {
        let count = context.size(100_000, quick: 5_000)
        var (played, written): ([Double], [Double]) = ([], [])
        for round in 0..<context.rounds {
            context.show("the world on a twin", round: round)
            let settings = TrafficWorld.Settings(seed: UInt64(round))
            played.append(Self.rate(of: try PlayedScenario(settings), count: count))
            written.append(Self.rate(of: TrafficScenario(settings), count: count))
        }
        return [
            BenchRow(
                "twin", "events of a world played on it, one thread", unit: "events/s", played,
                against: "written from templates", written, goal: .atLeast(20_000))
        ]
    }

    private static func rate(of stream: some EventStream, count: Int) -> Double {
        var stream = stream
        let start = ContinuousClock.now
        for _ in 0..<count { _ = stream.nextEvent() }
        return Double(count) / (ContinuousClock.now - start).inSeconds
    }
}
