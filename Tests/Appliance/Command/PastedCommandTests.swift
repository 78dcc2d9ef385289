import ArgumentParser
import Testing

@testable import Appliance
@testable import Command
@testable import Daemon
@testable import Terminal
@testable import Twin

@Suite("Commands that a sentence names")
struct PastedCommandTests {
    @Test("each has the program's path, and the folder and file that were given", arguments: [
        (
            "see: `tillbox reconcile show 1`", ["reconcile", "run", "--data", "./tour"],
            "see: `/opt/tillbox reconcile show 1 --data ./tour`"
        ),
        (
            "`tillbox ledger verify` or `tillbox log cat dead.letter`",
            ["ledger", "show", "1", "--config=/etc/my box.yaml", "--data=d"],
            "`/opt/tillbox ledger verify --data d --config '/etc/my box.yaml'` or "
                + "`/opt/tillbox log cat dead.letter --data d --config '/etc/my box.yaml'`"
        ),
        // What names a folder keeps it, and a demo's folder is no other command's.
        (
            "start it with `tillbox run --data x`", ["reconcile", "run", "--data", "y"],
            "start it with `/opt/tillbox run --data x`"
        ),
        (
            "see `tillbox ledger verify`", ["demo", "--data", "y"],
            "see `/opt/tillbox ledger verify`"
        ),
        (
            "start it with `tillbox run --data x`", ["status", "--config", "b.yaml"],
            "start it with `/opt/tillbox run --data x --config b.yaml`"
        ),
        (
            "run `tillbox cloud prepare`", ["run", "--role", "score", "--config=c.yaml"],
            "run `/opt/tillbox cloud prepare --config c.yaml`"
        ),
        (
            "`tillbox bridge resume kafka`", ["run", "--profile", "edge", "--config", "c.yaml"],
            "`/opt/tillbox bridge resume kafka --config c.yaml --profile edge`"
        ),
        (
            "run `tillbox reconcile run`", ["archive", "seal", "2026-10", "--config", "c.yaml"],
            "run `/opt/tillbox reconcile run --config c.yaml`"
        ),
        (
            "make one with `tillbox token add`", ["status", "--data", "d"],
            "make one with `/opt/tillbox token add --data d`"
        ),
        // Where a restore goes to is its own.
        ("`tillbox restore DIR`", ["backup", "--data", "d"], "`/opt/tillbox restore DIR`"),
        // It has its own.
        (
            "run `tillbox cloud prepare`", ["run", "--profile=cloud", "--role", "score"],
            "run `/opt/tillbox cloud prepare`"
        ),
        ("see: tillbox --help", ["fly", "--data", "y"], "see: tillbox --help"),
        ("`tillbox ledger show 1`", ["ledger", "show", "--data"], "`/opt/tillbox ledger show 1`"),
    ])
    func completed(sentence: String, arguments: [String], expected: String) {
        #expect(
            PastedCommand.completed(sentence, program: "/opt/tillbox", arguments: arguments)
                == expected)
    }

    @Test("the demo's names the daemon's address where it is another than usual", arguments: [
        (9_090, [:], ""), (9_091, [:], "TILLBOX_ADMIN_PORT=9091 "),
        (9_090, ["TILLBOX_ADMIN_PORT": "7"], "TILLBOX_ADMIN_PORT=9090 "),
        (
            9_090, ["TILLBOX_ADMIN_HOST": "::1", "TILLBOX_ADMIN_PORT": "9090"],
            "TILLBOX_ADMIN_HOST=127.0.0.1 TILLBOX_ADMIN_PORT=9090 "
        ),
    ] as [(Int, [String: String], String)])
    func demo(port: Int, environment: [String: String], expected: String) {
        var settings = Settings()
        settings.admin.port = port
        let hint = DemoCommand.hint(settings, "/tmp/my demo", environment)
        #expect(hint.hasPrefix(expected + ShellWord.quoted(ShellWord.thisProgram)), "\(hint)")
        #expect(hint.hasSuffix(" reconcile run --data '/tmp/my demo'"), "\(hint)")
    }

    @Test("the demo's help tells the port that its twin takes")
    func twinPort() {
        #expect(DemoCommand.helpMessage().contains("Default: \(TwinSettings.usualPort) where"))
    }
}
