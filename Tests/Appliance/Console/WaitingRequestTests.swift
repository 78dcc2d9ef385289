import Foundation
import HTTPTypes
import Hummingbird
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Console

@Suite("Requests that wait for a server")
struct WaitingRequestTests {
    /// Where handlers wait, each on its thread, until all may go on.
    private final class Barrier: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let entered = Mutex(0)

        var count: Int { entered.withLock { $0 } }

        func wait() {
            entered.withLock { $0 += 1 }
            gate.wait()
        }

        func open(for count: Int) {
            for _ in 0..<count { gate.signal() }
        }
    }

    @Test(
        "more of them than there are cores hold up no other, least of all who asks for health",
        .timeLimit(.minutes(1)))
    func others() async throws {
        let barrier = Barrier()
        let world = try AccessWorld { routes in
            routes.get("/wait", needs: .viewer) { _, _ in
                barrier.wait()
                return Response(status: .noContent)
            }
            routes.get("/quick", needs: .viewer) { _, _ in Response(status: .ok) }
            routes.get("/open", needs: nil) { _, _ in Response(status: .ok) }
        }
        let owner = [("Authorization", "Bearer \(AccessWorld.folderToken)")]
        let waiting = 2 * ProcessInfo.processInfo.activeProcessorCount + 1
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<waiting {
                group.addTask { await world.ask(.GET, "/wait", owner).status }
            }
            do {
                try await eventually("all of them wait at once", within: 30) {
                    barrier.count == waiting
                }
            } catch {
                // Those that do wait have threads, which nobody else would wake.
                barrier.open(for: waiting)
                throw error
            }
            var statuses = [await world.ask(.GET, "/open").status]
            statuses.append(await world.ask(.GET, "/quick", owner).status)
            barrier.open(for: waiting)
            for try await status in group { statuses.append(status) }
            return statuses
        }
        #expect(statuses == [200, 200] + Array(repeating: 204, count: waiting))
    }
}
