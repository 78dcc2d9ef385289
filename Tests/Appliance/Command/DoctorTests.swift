import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Backup
@testable import Command
@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

@Suite("The doctor")
struct DoctorTests {
    private static let now = Instant(seconds: 1_800_000_000)

    @Test("a disk with little room, in bytes or as a share, needs a person", arguments: [
        (100, 1_000, Finding.State.ok), (1, 10, .ok), (0, 10, .act), (3, 1_000, .act),
    ])
    func disk(freeGiB: Int, of total: Int, state: Finding.State) {
        let found = MachineChecks.disk(free: Int64(freeGiB) << 30, of: Int64(total) << 30)
        #expect(found.state == state)
    }

    @Test("a slow sync, and one that no disk is capable of, need a person", arguments: [
        (0.001, Finding.State.act), (0.08, .ok), (3, .ok), (21, .act),
    ])
    func sync(milliseconds: Double, state: Finding.State) {
        #expect(MachineChecks.sync(milliseconds: milliseconds).state == state)
    }

    @Test("a clock that is off by a good part of the tolerance needs a person", arguments: [
        (1_400, Finding.State.ok), (-4_000, .ok), (30_000, .note), (-80_000, .act), (400_000, .act),
        (Int.min, .act),
    ])
    func clock(ahead: Int, state: Finding.State) {
        let found = MachineChecks.clock(aheadMilliseconds: Int64(ahead), tolerance: 300)
        #expect(found.state == state, "\(found)")
    }

    @Test("no backup, and an old one, need a person; a developer's box is told of it")
    func backup() {
        func found(_ hours: Int64?, isDevelopment: Bool = false) -> Finding.State {
            let note = hours.map {
                BackupNote(
                    moment: Instant(seconds: Self.now.seconds - $0 * 3_600), name: "n",
                    folder: "/b", byteCount: 1, isEncrypted: false)
            }
            return FolderChecks.backup(note, at: Self.now, isDevelopment: isDevelopment).state
        }
        #expect(found(nil) == .act && found(nil, isDevelopment: true) == .note)
        #expect(found(36) == .ok && found(37) == .act && found(37, isDevelopment: true) == .note)
        // A clock that was ahead has stamped it: that is no age.
        #expect(found(0) == .ok && found(-1) == .act)
        let wanted = FolderChecks.backup(nil, at: Self.now, into: "/mnt/b", isDevelopment: false)
        #expect(wanted.says == "no backup is known in /mnt/b")
        // The folder is set already, and the commands need not be told of it.
        #expect(wanted.todo?.hasPrefix("run `tillbox backup`, ") == true, "\(wanted)")
        #expect(wanted.todo?.hasSuffix("`tillbox backup drill`") == true, "\(wanted)")
        let unset = FolderChecks.backup(nil, at: Self.now, isDevelopment: false)
        #expect(unset.todo?.hasPrefix("run `tillbox backup DIR`, or set ") == true, "\(unset)")
    }

    private static func endpoint(
        _ events: [String], path: String = "/webhooks/stripe", isEnabled: Bool = true,
        version: String? = nil
    ) -> StripeEndpoint {
        StripeEndpoint(
            id: "we_1", url: "https://box.example.com\(path)", isEnabled: isEnabled,
            events: events, apiVersion: version)
    }

    private static func states(_ endpoints: [StripeEndpoint], names: [String] = [""]) -> [
        Finding.State
    ] {
        EndpointChecks.findings(endpoints, names: names, version: nil).map(\.state)
    }

    @Test("an endpoint that is missing, disabled, or lacks what moves money needs a person")
    func endpoints() {
        let all = SubscribedEvents.names
        #expect(Self.states([Self.endpoint(all)]) == [.ok])
        #expect(Self.states([Self.endpoint(["*"])]) == [.ok])
        #expect(Self.states([]) == [.act])
        #expect(Self.states([Self.endpoint(all, path: "/other")]) == [.act])
        #expect(Self.states([Self.endpoint(all, isEnabled: false)]) == [.act])
        let lacking = Self.endpoint(all.filter { $0 != "charge.dispute.funds_withdrawn" })
        let found = EndpointChecks.findings([lacking], names: [""], version: nil)
        #expect(found.map(\.state) == [.act])
        #expect(found[0].says.hasSuffix("is not sent charge.dispute.funds_withdrawn"))
        let small = Self.endpoint(all.filter { !$0.hasPrefix("topup.") })
        #expect(Self.states([small]) == [.note])
        #expect(
            Self.states([Self.endpoint(all, path: "/webhooks/stripe/eu")], names: ["eu", "us"])
                == [.ok, .act])
    }

    @Test("that Stripe is away is not put down to the key, and leads to its own chapter")
    func stripeIsAway() {
        let away: [StripeError] = [
            .unreachable(reason: "Connection refused", attempts: 2),
            .unavailable(status: 503, attempts: 2), .rateLimited(attempts: 2),
        ]
        for error in away {
            let found = EndpointChecks.finding(without: error)
            #expect(found.state == .act && found.chapter == "Stripe is away", "\(found)")
            #expect(found.todo?.contains("permission") == false, "\(found)")
        }
        for error in [StripeError.unauthorised, .forbidden(message: "no")] {
            let found = EndpointChecks.finding(without: error)
            #expect(found.chapter == "Secrets and the endpoint", "\(found)")
            #expect(found.todo?.contains("read permission") == true, "\(found)")
        }
    }

    @Test("an endpoint of another API version than the account's is worth a note")
    func versions() {
        let own = Self.endpoint(["*"], version: "2024-06-20")
        let states = ["2024-06-20", "2020-08-27"].map { version in
            EndpointChecks.findings([own], names: [""], version: version).map(\.state)
        }
        #expect(states == [[.ok, .ok], [.ok, .note]])
    }

    @Test("a key of the other mode than an endpoint's needs a person", arguments: [
        (WebhookEndpoint.Livemode.live, 1), (.test, 0), (.any, 0),
    ])
    func modes(livemode: WebhookEndpoint.Livemode, count: Int) {
        var settings = Settings()
        settings.stripeKey = "rk_test_1"
        settings.endpoints = [WebhookEndpoint(name: "", secrets: [], livemode: livemode)]
        let checks = EndpointChecks(settings: settings, clock: StripeClock(SystemLogClock()))
        #expect(checks.modes.count == count, "\(checks.modes)")
        for found in checks.modes {
            #expect(found.state == .act && found.says.contains("is a test key"), "\(found)")
            #expect(found.todo?.hasPrefix("give the live key") == true, "\(found)")
        }
    }

    @Test("dead letters are counted until they are sent back")
    func letters() async throws {
        let fixture = try PipelineFixture()
        try await fixture.opened { opened in
            let checks = FolderChecks(settings: fixture.settings)
            #expect(checks.letters().state == .ok)
            for number in 1...2 {
                let body = PipelineFixture.charge(number, type: "charge.updated")
                _ = try await opened.append(
                    PipelineFixture.letter(body.utf8, topic: "webhook.received"), to: .deadLetter)
            }
            let found = checks.letters()
            #expect(found.state == .note && found.says == "2 were not sent back", "\(found)")
            _ = try await fixture.redriver(opened).redrive(
                RedriveRequest(letters: [.letter(.zero)]))
            #expect(checks.letters().says == "1 was not sent back")
        }
    }

    @Test(
        "a file of somebody else's in the folder is named, with the command that gives it back",
        .enabled(if: geteuid() == 0))
    func foreignFile() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("ledger.sqlite")
        try Data().write(to: URL(filePath: file))
        chmod(folder.path, 0o700)
        let checks = MachineChecks(path: folder.path)
        #expect(checks.permissions().state == .ok)
        // Nobody's number on every Debian.
        chown(folder.path, 65_534, 65_534)
        let found = checks.permissions()
        #expect(found.state == .act && found.says.contains(file), "\(found)")
        #expect(found.todo?.contains("chown -R nobody: ") == true, "\(found)")
        chown(file, 65_534, 65_534)
        #expect(checks.permissions().state == .note)
    }

    @Test("a secret that systemd hands over is not called wrong while the service does not run")
    func unread() {
        let gone = DoctorCommand.unread(
            "cannot read the secret file /run/credentials/tillbox.service/secret_stripe: No such "
                + "file or directory")
        #expect(gone.todo?.contains("systemctl start tillbox") == true, "\(gone)")
        let open = DoctorCommand.unread("the secret file /s is open to others; run: chmod 600 /s")
        #expect(open.says == "the secret file /s is open to others", "\(open)")
        #expect(open.todo == "run: chmod 600 /s")
    }

    @Test("whether anybody is told of what needs a person")
    func alerts() {
        var settings = Settings()
        #expect(DoctorCommand.alerts(settings).state == .note)
        settings.alerts.command = "cat"
        #expect(DoctorCommand.alerts(settings).state == .ok)
    }

    private static func daemon(_ json: String, hasKey: Bool = true) throws -> [String] {
        try found(json, hasKey: hasKey).map { "\($0.check) \($0.state.rawValue)" }
    }

    private static func found(_ json: String, hasKey: Bool = true) throws -> [Finding] {
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            let root = try document.parse(Array(json.utf8))
            return DaemonChecks.findings(root, at: Self.now.seconds, hasKey: hasKey)
        }
    }

    @Test("a daemon that is not ready, breaks, an old sweep and a stopped bridge need a person")
    func status() throws {
        let now = Self.now.seconds
        let well = try Self.daemon(
            """
            {"ready":true,"reasons":[],"warnings":[],"up_seconds":60,\
            "reconciliation":{"finished_at":\(now - 60),"clean":true,\
            "missed_events_until":\(now - 90)},"bridges":[{"name":"kafka",\
            "state":"running","lag":3},{"name":"redis","state":"paused","lag":9}]}
            """)
        #expect(
            well == [
                "daemon ok", "reconciliation ok", "missed ok", "bridges ok", "bridges note",
            ])
        let ill = try Self.daemon(
            """
            {"ready":false,"reasons":["the disk is full"],"warnings":["the clock may be off",\
            "the bridge kafka has stopped"],"up_seconds":60,"reconciliation":{"finished_at":\
            \(now - 60),"clean":false,"missed_events_until":\(now - 200_000)},"bridges":[{"name":\
            "kafka","state":"stopped","lag":3}]}
            """)
        #expect(
            ill == ["daemon act", "daemon act", "reconciliation act", "missed act", "bridges act"])
        let fresh = try Self.daemon(
            #"{"ready":true,"reasons":[],"warnings":[],"reconciliation":null,"bridges":[]}"#,
            hasKey: false)
        #expect(fresh == ["daemon ok", "reconciliation note", "missed note"])
    }

    @Test("what the daemon warns of is said with what to do, and with the chapter that has it")
    func warnings() throws {
        let found = try Self.found(
            """
            {"reasons":[],"warnings":["the backup into /mnt/b fails: it is full; free some",\
            "a sentence of no chapter"],"up_seconds":60,"reconciliation":null,"bridges":[]}
            """
        ).filter { $0.state == .act }
        #expect(found.map(\.says) == [
            "the backup into /mnt/b fails: it is full", "a sentence of no chapter",
        ])
        #expect(found.first?.todo == "free some")
        #expect(found.map(\.chapter) == [
            "No backup, or an old one", "The daemon does not start, or is not ready",
        ])
    }

    /// A bridge that runs and whose target hangs, one that stopped, and one that was taken out of
    /// the configuration, for which the log keeps all.
    @Test("a bridge is as its warning says, and one without its own line is not passed over")
    func bridges() throws {
        let found = try Self.found(
            """
            {"reasons":[],"warnings":[\
            "the bridge kafka is behind by 3 records and waits for its target: no answer",\
            "the bridge redis has stopped, behind by 9 records: it has more than the log",\
            "the bridge postgres is not configured any more, and the log keeps every record"],\
            "up_seconds":60,"reconciliation":null,"bridges":[\
            {"name":"kafka","state":"running","lag":3},{"name":"redis","state":"stopped","lag":9}]}
            """
        ).filter { $0.check == "bridges" }
        #expect(found.map(\.state) == [.act, .act, .act])
        #expect(found.allSatisfy { $0.chapter == "A bridge has stopped" })
        #expect(found.first?.says.hasSuffix("waits for its target: no answer") == true)
        let todo = found.compactMap(\.todo)
        #expect(todo.count == 3 && todo[0].contains("its target runs"), "\(todo)")
        #expect(todo[1].hasSuffix("`tillbox bridge resume redis`"), "\(todo)")
    }

    @Test("without a daemon, what only it knows is said not to have been looked at")
    func nobody() {
        let found = DaemonChecks.findings(without: "no daemon answers at x; start it")
        #expect(found.map { "\($0.check) \($0.state.rawValue)" } == [
            "daemon act", "reconciliation skipped", "missed skipped", "bridges skipped",
        ])
        #expect(found.first?.says == "no daemon answers at x" && found.first?.todo == "start it")
    }

    @Test(
        "the age of a run is by Stripe's clock, which may be a twin's in another month",
        arguments: [
            (-30 * 86_400, 60, "ok"), (90 * 86_400, 60, "ok"), (-30 * 86_400, 200_000, "act"),
            (0, 200_000, "act"),
        ] as [(Int64, Int64, String)])
    func world(ahead: Int64, age: Int64, state: String) throws {
        let stripe = Self.now.seconds + ahead
        let found = try Self.daemon(
            """
            {"ready":true,"reasons":[],"warnings":[],"up_seconds":60,"stripe_at":\(stripe),\
            "reconciliation":{"finished_at":\(stripe - age),"clean":true,\
            "missed_events_until":\(stripe - age)},"bridges":[]}
            """)
        #expect(found == ["daemon ok", "reconciliation \(state)", "missed \(state)"])
        // An earlier release does not tell it.
        let before = try Self.daemon(
            """
            {"ready":true,"reasons":[],"warnings":[],"up_seconds":60,"stripe_at":null,\
            "reconciliation":{"finished_at":\(Self.now.seconds - age),"clean":true,\
            "missed_events_until":\(Self.now.seconds - age)},"bridges":[]}
            """)
        #expect(before == found)
    }

    @Test("what needs a person is counted, and said with what to do")
    func text() throws {
        let folder = try TemporaryFolder()
        let page = folder.file("RUNBOOK.md.gz")
        #expect(Diagnosis.runbook(installedAt: page) == "docs/RUNBOOK.md")
        try Data().write(to: URL(filePath: page))
        #expect(Diagnosis.runbook(installedAt: page) == page)
        var diagnosis = Diagnosis()
        diagnosis.runbook = "docs/RUNBOOK.md"
        diagnosis.add(.ok("disk", "fine"))
        #expect(!diagnosis.needsSomebody && diagnosis.text.hasSuffix("nothing needs a person"))
        diagnosis.add(.act("backup", "none", "make one"))
        #expect(diagnosis.needsSomebody)
        let lines = diagnosis.text.split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "ok    disk    fine", "ACT   backup  none", "              → make one",
                "                docs/RUNBOOK.md: No backup, or an old one",
                "1 thing needs a person",
            ])
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(diagnosis.json.utf8)) as? [String: Any])
        #expect(json["needs_somebody"] as? Bool == true)
    }
}
