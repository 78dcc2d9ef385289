import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Command
@testable import Terminal

@Suite("The demo's ports")
struct DemoPortTests {
    private static let variable = "TILLBOX_ADMIN_PORT"

    @Test("the one that the environment names is taken; none, or any free one, where it names none")
    func told() async throws {
        let (named, usual) = (try freePort(), try freePort())
        #expect(
            try await LocalPort.told(Self.variable, [Self.variable: "\(named)"], else: usual)
                == named)
        #expect(try await LocalPort.told(Self.variable, [:], else: usual) == usual)
        #expect(try await LocalPort.told(Self.variable, [Self.variable: ""], else: usual) == usual)
        let any = try await LocalPort.told(Self.variable, [Self.variable: "0"], else: usual)
        #expect(any > 0 && any != usual)
    }

    @Test("one that is taken is not another one's: it is told which, and how to name another")
    func taken() async throws {
        let holder = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(holder.localAddress?.port)
        let failure = await #expect(throws: CommandFailure.self) {
            try await LocalPort.told(Self.variable, [Self.variable: "\(port)"], else: 1)
        }
        #expect(failure?.exitCode == 3)
        #expect(failure?.message?.contains("127.0.0.1:\(port)") == true)
        #expect(failure?.message?.contains("with TILLBOX_ADMIN_PORT") == true)
        try await holder.close()
    }

    @Test("what is no port is told so", arguments: ["x", "-1", "65536", "80 80"])
    func noPort(text: String) async {
        let failure = await #expect(throws: CommandFailure.self) {
            try await LocalPort.told(Self.variable, [Self.variable: text], else: 1)
        }
        #expect(failure?.exitCode == CommandFailure.wrongUsage)
        #expect(failure?.message?.contains("must be a port from 1 to 65535") == true)
    }
}
