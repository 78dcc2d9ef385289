import Foundation
import TestSupport
import Testing

@Suite("Ports that tests are given")
struct TestPortsTests {
    @Test("what another test process was given is given to nobody else, until that process ends")
    func apart() async throws {
        let folder = try TemporaryFolder()
        let claims = folder.file("claims")
        let range = 30_000..<30_008
        let script = """
            import fcntl, sys, time
            file = open(sys.argv[1], "w")
            for port in range(30000, 30007):
                fcntl.lockf(file, fcntl.LOCK_EX, 1, port)
            print("claimed", flush=True)
            time.sleep(600)
            """
        let other = try Child("/usr/bin/env", ["python3", "-c", script, claims])
        try await eventually("it has claimed all but one: \(other.standardError)") {
            other.standardOutput.contains("claimed") || !other.isRunning
        }
        #expect(try TestPorts(range, claims: claims).take() == 30_007)
        #expect(throws: NoFreePort.self) { try TestPorts(range, claims: claims).take() }
        other.kill(SIGKILL)
        _ = await other.wait()
        let port = try TestPorts(range, claims: claims).take()
        #expect(range.contains(port))
    }
}
