import Bridges
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import Reconcile
@testable import Vocabulary

@Suite("Alerts")
struct AlertTests {
    /// A command that reads nothing must not end who writes to it; the daemon ignores it too.
    init() { signal(SIGPIPE, SIG_IGN) }

    private static func at(_ seconds: Int64) -> Instant {
        Instant(seconds: 1_800_000_000 + seconds)
    }

    private static func notices(_ sentences: [String]) -> [Notice] {
        sentences.map { Notice(kind: "", sentence: $0) }
    }

    /// What a book tells at each of these looks, each told.
    private static func told(
        _ looks: [(at: Int64, sentences: [String])]
    ) -> [[String]] {
        var book = AlertBook(afterSeconds: 60, againSeconds: 86_400)
        return looks.map { look in
            let alerts = book.look(notices(look.sentences), at: at(look.at))
            book.noteTold(alerts, at: at(look.at))
            return alerts.map { "\($0.state.rawValue) \($0.sentence)" }
        }
    }

    @Test("a sentence is told once it has lasted, once, and when it is over; a day later again")
    func once() {
        let found = ["the disk is full"]
        #expect(
            Self.told([
                (0, found), (20, found), (59, found), (60, found), (80, found), (4_000, found),
                (86_459, found), (86_460, found), (86_480, []), (86_500, []), (86_520, []),
                (86_540, []),
            ]) == [
                [], [], [], ["raised the disk is full"], [], [], [], ["raised the disk is full"],
                [], [], ["over the disk is full"], [],
            ])
    }

    @Test("what comes and goes is not told; figures alone make no other sentence")
    func flapping() {
        let told = Self.told(
            [(0, ["a"]), (20, []), (40, ["a"]), (59, []), (100, []), (130, [])])
        #expect(told == [[], [], [], [], [], []])
        #expect(
            Self.told([(0, ["behind by 12"]), (60, ["behind by 900"]), (80, ["behind by 901"])])
                == [[], ["raised behind by 900"], []])
    }

    @Test("figures are no part of a subject; names with digits and other kinds are", arguments: [
        ("behind by 1,200 records, since 12 s.", "behind by 7 records, since 4.5 s.", true),
        ("is 12% full (90s)", "is 90% full (4s)", true),
        ("the last is of 2026-11-27T16:22:24Z", "the last is of 2026-12-01T00:00:00Z", true),
        ("redis-1 does not answer", "redis-2 does not answer", false),
        ("10.0.0.7:6379 does not answer", "10.0.0.8:6379 does not answer", false),
        ("no event of evt_1", "no event of evt_2", false),
    ])
    func subjects(one: String, other: String, isOne: Bool) {
        let (first, second) = (Self.notices([one])[0], Self.notices([other])[0])
        #expect((first.subject == second.subject) == isOne)
        #expect(first.subject != Notice(kind: "other", sentence: one).subject)
        let told = Self.told([(0, [one, other]), (60, [one, other]), (80, [one, other])])
        #expect(told.map(\.count) == [0, isOne ? 1 : 2, 0])
    }

    @Test("two that say the same in other figures are two, and each is over by itself")
    func kinds() {
        var book = AlertBook(afterSeconds: 0, againSeconds: 3_600)
        let both = [
            Notice(kind: "watch 1", sentence: "behind by 5"),
            Notice(kind: "watch 2", sentence: "behind by 9"),
        ]
        let raised = book.look(both, at: Self.at(0))
        #expect(raised.map(\.kind) == ["watch 1", "watch 2"])
        book.noteTold(raised, at: Self.at(0))
        let over = book.look([both[1]], at: Self.at(20))
        #expect(over.map(\.kind) == ["watch 1"] && over.map(\.state) == [.over])
    }

    @Test("what could not be told is due at every look until it is")
    func untold() {
        var book = AlertBook(afterSeconds: 0, againSeconds: 3_600)
        let first = book.look(Self.notices(["x"]), at: Self.at(0))
        #expect(first.count == 1)
        #expect(book.look(Self.notices(["x"]), at: Self.at(20)) == first)
        book.noteTold(first, at: Self.at(20))
        #expect(book.look(Self.notices(["x"]), at: Self.at(40)).isEmpty)
    }

    /// A door that fails until it is told to open.
    private final class Door: AlertDoor {
        let key = "door"
        let isOpen = Mutex(false)
        let told = Mutex<[Alert]>([])
        let asked = Mutex<[Instant]>([])

        func tell(_ alerts: [Alert], at now: Instant) async throws {
            asked.withLock { $0.append(now) }
            guard isOpen.withLock({ $0 }) else { throw AlertFailure(description: "closed") }
            told.withLock { $0 += alerts }
        }
    }

    @Test("one door that fails does not keep another from telling, and readiness says so")
    func doors() async {
        let (closed, open) = (Door(), Door())
        open.isOpen.withLock { $0 = true }
        var settings = AlertSettings()
        settings.afterSeconds = 0
        let clock = HandClock(1_800_000_000)
        let watch = AlertWatch(
            settings, doors: [closed, open], clock: clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { Self.notices(["a bridge has stopped"]) }
        await watch.look()
        #expect(open.told.withLock { $0.count } == 1)
        #expect(watch.warning == "alerts cannot be told: closed")
        closed.isOpen.withLock { $0 = true }
        clock.set(1_800_000_020)
        await watch.look()
        #expect(closed.told.withLock { $0.count } == 1 && open.told.withLock { $0.count } == 1)
        #expect(watch.warning == nil)
    }

    @Test("who takes nothing is tried again behind twice the wait each time, 15 minutes at most")
    func patience() async {
        let door = Door()
        var settings = AlertSettings()
        settings.afterSeconds = 0
        let clock = HandClock(1_800_000_000)
        let watch = AlertWatch(
            settings, doors: [door], clock: clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { Self.notices(["a bridge has stopped"]) }
        for second in stride(from: Int64(0), through: 4_000, by: 20) {
            clock.set(1_800_000_000 + second)
            await watch.look()
        }
        let seconds = door.asked.withLock { $0.map { $0.seconds - 1_800_000_000 } }
        #expect(seconds == [0, 20, 60, 140, 300, 620, 1_260, 2_160, 3_060, 3_960])
        door.isOpen.withLock { $0 = true }
        clock.set(1_800_019_500)
        await watch.look()
        #expect(door.told.withLock { $0.count } == 1 && watch.warning == nil)
    }

    @Test("a silent Stripe is told after a minute, daily whatever the reason, and when it is over")
    func stripe() async {
        let door = Door()
        door.isOpen.withLock { $0 = true }
        let clock = HandClock(1_800_000_000)
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let reach = StripeReach(base: "https://api.stripe.com", clock: clock, logger: quiet)
        let watch = AlertWatch(AlertSettings(), doors: [door], clock: clock, logger: quiet) {
            reach.warning.map { [Notice(kind: "watch", sentence: $0)] } ?? []
        }
        func told(at second: Int64) async -> [String] {
            clock.set(1_800_000_000 + second)
            await watch.look()
            return door.told.withLock { told in
                defer { told = [] }
                return told.map { "\($0.state.rawValue) \($0.sentence.prefix(92))" }
            }
        }
        reach.hasFailed("Connection refused")
        #expect(await told(at: 0) == [])
        #expect(await told(at: 40) == [])
        reach.hasAnswered()
        #expect(await told(at: 60) == [], "a moment's silence is nobody's business")
        #expect(await told(at: 200) == [])

        reach.hasFailed("Connection refused")
        #expect(await told(at: 220) == [])
        reach.hasFailed("status 502")
        #expect(await told(at: 279) == [])
        let sentence = "Stripe does not answer at https://api.stripe.com since "
            + "2027-01-15T08:03:20Z (Connection refu"
        #expect(await told(at: 280) == ["raised \(sentence)"])
        reach.hasFailed("no address is known of api.stripe.com")
        #expect(await told(at: 3_600) == [])
        #expect(await told(at: 86_679) == [])
        #expect(await told(at: 86_680) == ["raised \(sentence)"])
        reach.hasAnswered()
        #expect(await told(at: 86_739) == [])
        #expect(await told(at: 86_740) == ["over \(sentence)"])
        #expect(await told(at: 86_900) == [])
    }

    @Test("a command gets the text and none of the daemon's secrets; a failing one is told of")
    func command() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("told")
        setenv("TILLBOX_ALERT_TEST_SECRET", "whsec_hidden", 1)
        defer { unsetenv("TILLBOX_ALERT_TEST_SECRET") }
        let alert = Alert(state: .raised, sentence: "the disk is full", since: Self.at(0))
        try await AlertCommand("{ cat; env; } > '\(file)'").tell([alert], at: Self.at(0))
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.hasPrefix("Tillbox needs a person: the disk is full\n"))
        #expect(!text.contains("whsec_hidden"))
        await #expect {
            try await AlertCommand("exit 3").tell([alert], at: Self.at(0))
        } throws: { "\($0)" == "alerts.command ends with 3" }
    }

    @Test("what a command leaves running in the background is not waited for", arguments: [0, 3])
    func background(code: Int) async throws {
        let folder = try TemporaryFolder()
        let fifo = folder.file("fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        let alert = Alert(state: .raised, sentence: "the disk is full", since: Self.at(0))
        // It lives until the pipe has a reader, and then until that ends.
        let command = AlertCommand(
            "setsid sh -c 'exec cat > \(fifo) < /dev/zero' & exit \(code)", secondsMax: 600)
        var said: String?
        do {
            try await command.tell([alert], at: Self.at(0))
        } catch {
            said = "\(error)"
        }
        #expect(said == (code == 0 ? nil : "alerts.command ends with \(code)"))
        close(try await Self.reader(of: fifo))
    }

    /// Reads a pipe without holding up a thread, on which what writes it may have to begin.
    private static func reader(of fifo: String) async throws -> Int32 {
        let reader = open(fifo, O_RDONLY | O_NONBLOCK)
        try #require(reader >= 0)
        var byte: UInt8 = 0
        // Nothing to be read is an error where somebody may write, and the end where nobody does.
        try await eventually("somebody has opened it to write") { read(reader, &byte, 1) != 0 }
        return reader
    }

    @Test("a command that ends by a signal is told of with it; no shell has any blocked",
        arguments: ["/bin/sh", "/bin/bash"].filter(FileManager.default.isExecutableFile))
    func signalled(shell: String) async throws {
        let alert = Alert(state: .raised, sentence: "the disk is full", since: Self.at(0))
        await #expect {
            try await AlertCommand("kill -TERM $$; sleep 600", shell: shell)
                .tell([alert], at: Self.at(0))
        } throws: { "\($0)" == "alerts.command ends by signal 15" }
    }

    @Test("a command that hangs is killed with what it has started, also where nobody waits on",
        arguments: [false, true])
    func hangs(isCancelled: Bool) async throws {
        let folder = try TemporaryFolder()
        let fifo = folder.file("fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        let alert = Alert(state: .raised, sentence: "the disk is full", since: Self.at(0))
        // What it has started holds the pipe open for as long as it lives.
        let telling = Task {
            try await AlertCommand(
                "sleep 600 > '\(fifo)' & cat '/dev/zero' | sleep 601",
                secondsMax: isCancelled ? 600 : 1
            ).tell([alert], at: Self.at(0))
        }
        let reader = try await Self.reader(of: fifo)
        defer { close(reader) }
        if isCancelled { telling.cancel() }
        let result = await telling.result
        #expect {
            try result.get()
        } throws: { error in
            isCancelled
                ? error is CancellationError
                : "\(error)" == "alerts.command does not end within 1 s"
        }
        var byte: UInt8 = 0
        // The end comes once nobody has it open.
        try await eventually("all that it has started has ended") { read(reader, &byte, 1) == 0 }
    }

    @Test("a command that cannot be killed, as one by sudo cannot, is not waited for")
    func unkillable() throws {
        let process = try Process.run(URL(filePath: "/bin/sleep"), arguments: ["600"])
        let pid = process.processIdentifier
        // No process is of this group, so that none is killed.
        #expect(!AlertCommand.kill(pid, -Int32.max))
        #expect(kill(pid, 0) == 0)
        #expect(AlertCommand.kill(pid, pid))
        let (isGone, code) = (kill(pid, 0) != 0, errno)
        #expect(isGone && code == ESRCH)
    }

    @Test("what is posted has the text for a chat, and each alert for a program")
    func body() throws {
        let alerts = [
            Alert(state: .raised, sentence: "a \"b\"", since: Self.at(0)),
            Alert(state: .over, sentence: "c", since: Self.at(0)),
        ]
        let json = try #require(
            try JSONSerialization.jsonObject(
                with: Data(AlertWebhook.body(alerts, at: Self.at(60)))) as? [String: Any])
        #expect(json["text"] as? String == "Tillbox needs a person: a \"b\"\nTillbox: over: c")
        let listed = try #require(json["alerts"] as? [[String: Any]])
        #expect(listed.map { $0["state"] as? String } == ["raised", "over"])
    }
}
