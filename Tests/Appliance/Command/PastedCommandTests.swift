import Testing

@testable import Appliance
@testable import Command

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
        ("see: tillbox --help", ["fly", "--data", "y"], "see: tillbox --help"),
        ("`tillbox ledger show 1`", ["ledger", "show", "--data"], "`/opt/tillbox ledger show 1`"),
    ])
    func completed(sentence: String, arguments: [String], expected: String) {
        #expect(
            PastedCommand.completed(sentence, program: "/opt/tillbox", arguments: arguments)
                == expected)
    }
}
