import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Daemon

@Suite("Work that nobody waits for")
struct UnawaitedWorkTests {
    /// A system call that does not come back until it is let.
    private final class HangingCall: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        let count = Atomic(0)

        func run() {
            count.add(1, ordering: .relaxed)
            gate.wait()
        }

        func letGo() { gate.signal() }
    }

    @Test("one that hangs holds up nobody and is not begun a second time; the next one is")
    func hangs() async throws {
        let (work, call) = (UnawaitedWork("tillbox.test"), HangingCall())
        #expect(work.begin { call.run() })
        try await eventually("it hangs") { call.count.load(ordering: .relaxed) == 1 }
        #expect(!work.begin { call.run() })
        call.letGo()
        try await eventually("another one may begin") { work.begin { call.run() } }
        try await eventually("it runs") { call.count.load(ordering: .relaxed) == 2 }
        call.letGo()
    }
}
