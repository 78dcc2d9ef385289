import AppendLog
import Foundation
import TestSupport
import Testing

/// The cloud roles are killed at random moments under load; then a reader that shares no code with
/// them judges.
@Suite("Crashes of the cloud roles", .serialized)
struct CloudKillTests {
    private static let environment = ProcessInfo.processInfo.environment
    /// `make cloud-kills` sets more.
    private static let killCount = environment["TILLBOX_CLOUD_KILLS"].flatMap(Int.init) ?? 10
    private static let seed =
        environment["TILLBOX_CLOUD_SEED"].flatMap(UInt64.init) ?? .random(in: 1...1_000_000)
    /// Enough that between most kills the groups are whole again, and records are on their way.
    private static let eventsAKill = 160

    @Test("any of them at any moment: nothing is lost, nothing is booked or told twice")
    func killed() async throws {
        print("cloud kills: seed \(Self.seed)")
        var random = SeededGenerator(seed: Self.seed)
        let place = try await CloudPlace()
        for role in ["ledger", "ledger", "score", "score", "features", "webhook"] {
            try place.start(role)
        }
        let count = Self.killCount * Self.eventsAKill
        let traffic = try place.traffic(count: count, rate: 40, seed: Self.seed)
        for kill in 0..<Self.killCount {
            // From the first acknowledgement to nearly the last one.
            let share = Self.eventsAKill * 3 / 4
            let due = kill * share + Int.random(in: 1...share, using: &random)
            try await eventually("\(due) deliveries are acknowledged", within: 120) {
                !traffic.isRunning || place.acknowledgedCount >= due
            }
            #expect(traffic.isRunning, "the traffic was over before kill \(kill + 1)")
            try await place.replace(Int.random(in: place.roles.indices, using: &random))
        }
        try await place.judge(traffic, "\(Self.killCount) kills, seed \(Self.seed)")
    }
}
