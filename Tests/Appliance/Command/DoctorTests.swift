import Foundation
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

    private static func daemon(_ json: String, hasKey: Bool = true) throws -> [String] {
        let document = JSONDocument()
        return try withExtendedLifetime(document) {
            let root = try document.parse(Array(json.utf8))
            return DaemonChecks.findings(root, at: Self.now.seconds, hasKey: hasKey).map {
                "\($0.check) \($0.state.rawValue)"
            }
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
        var diagnosis = Diagnosis()
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
