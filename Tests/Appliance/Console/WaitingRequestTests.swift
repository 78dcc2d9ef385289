import Foundation
import HTTPTypes
import Hummingbird
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Requests that wait for a server")
struct WaitingRequestTests {
    /// Where handlers wait, each on its thread, until all may go on.
    private final class Barrier: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let entered = Mutex((inAll: 0, atOnce: 0, mostAtOnce: 0))

        var count: Int { entered.withLock { $0.inAll } }
        /// How many have ever waited at one moment.
        var most: Int { entered.withLock { $0.mostAtOnce } }

        func wait() {
            entered.withLock { entered in
                entered.inAll += 1
                entered.atOnce += 1
                entered.mostAtOnce = max(entered.mostAtOnce, entered.atOnce)
            }
            gate.wait()
            entered.withLock { $0.atOnce -= 1 }
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
        let waiting = min(
            2 * ProcessInfo.processInfo.activeProcessorCount + 1,
            GateLimits.adminWorkCountMax - 1)
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

    /// Lets everybody in.
    private struct Everybody: AdminAccess {
        func caller(of request: PortRequest) async throws -> Caller? {
            Caller(name: "ann", role: .viewer, credential: .folder)
        }
    }

    @Test(
        "so many are at work at once and the others in their turn; who asks for health waits not",
        .timeLimit(.minutes(1)))
    func turns() async throws {
        let (barrier, most, asked) = (Barrier(), 3, 10)
        var routes = AdminRoutes()
        routes.get("/wait", needs: .viewer) { _, _ in
            barrier.wait()
            return Response(status: .noContent)
        }
        routes.get("/open", needs: nil) { _, _ in Response(status: .ok) }
        let responder = AdminResponder(
            routes: routes, guards: AdminGuard(listensOn: "127.0.0.1"), access: Everybody(),
            workCountMax: most, counters: Counters(), logger: PipelineFixture.quiet)
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<asked {
                group.addTask { await responder.ask(.GET, "/wait").status }
            }
            // Whatever comes of this, nobody is left waiting.
            var never: (any Error)?
            do {
                try await eventually("as many as may are at work", within: 30) {
                    barrier.count == most
                }
            } catch { never = error }
            var statuses = [await responder.ask(.GET, "/open").status]
            barrier.open(for: asked)
            for try await status in group { statuses.append(status) }
            if let never { throw never }
            return statuses
        }
        #expect(statuses == [200] + Array(repeating: 204, count: asked))
        #expect(barrier.count == asked && barrier.most <= most)
    }
}
