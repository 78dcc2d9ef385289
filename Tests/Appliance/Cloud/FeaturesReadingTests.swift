import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Cloud
@testable import Daemon
@testable import Vocabulary

@Suite("What computes vectors for trying")
struct FeaturesReadingTests {
    @Test("passes over a record that nobody can read", .timeLimit(.minutes(4)))
    func unreadable() async throws {
        let scenario = try await PlaneScenario(seed: 3)
        let cloud = try await CloudFixture()
        let event = try #require(CloudRolesTests.events(scenario).first { $0.kind == .payment })
        func write(_ value: [UInt8]) async throws {
            try await cloud.write(
                Record(
                    key: Array(event.orderingKey.utf8)[...], value: value[...],
                    timestamp: Timestamp(milliseconds: 1_760_000_000_000)),
                to: .paymentValidated)
        }
        try await write(Array("{}".utf8))
        try await write(event.encoded())
        let service = try cloud.plane.features(cloud.redis, cloud.producer)
        try await cloud.running([service]) {
            try await eventually("the other one is told") {
                try await cloud.records(.paymentFeatures).count == 1
            }
        }
    }
}
