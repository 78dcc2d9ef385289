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
    private static func at(_ seconds: Int64) -> Instant {
        Instant(seconds: 1_800_000_000 + seconds)
    }

    /// What a book tells at each of these looks, each told.
    private static func told(
        _ looks: [(at: Int64, sentences: [String])]
    ) -> [[String]] {
        var book = AlertBook(afterSeconds: 60, againSeconds: 86_400)
        return looks.map { look in
            let alerts = book.look(look.sentences, at: at(look.at))
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

    @Test("what comes and goes is not told; numbers alone make no other sentence")
    func flapping() {
        let told = Self.told(
            [(0, ["a"]), (20, []), (40, ["a"]), (59, []), (100, []), (130, [])])
        #expect(told == [[], [], [], [], [], []])
        #expect(
            Self.told([(0, ["behind by 12"]), (60, ["behind by 900"]), (80, ["behind by 901"])])
                == [[], ["raised behind by 900"], []])
    }

    @Test("what could not be told is due at every look until it is")
    func untold() {
        var book = AlertBook(afterSeconds: 0, againSeconds: 3_600)
        let first = book.look(["x"], at: Self.at(0))
        #expect(first.count == 1)
        #expect(book.look(["x"], at: Self.at(20)) == first)
        book.noteTold(first, at: Self.at(20))
        #expect(book.look(["x"], at: Self.at(40)).isEmpty)
    }

    /// A door that fails until it is told to open.
    private final class Door: AlertDoor {
        let isOpen = Mutex(false)
        let told = Mutex<[Alert]>([])

        func tell(_ alerts: [Alert], at now: Instant) async throws {
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
        ) { ["a bridge has stopped"] }
        await watch.look()
        #expect(open.told.withLock { $0.count } == 1)
        #expect(watch.warning == "alerts cannot be told: closed")
        closed.isOpen.withLock { $0 = true }
        clock.set(1_800_000_020)
        await watch.look()
        #expect(closed.told.withLock { $0.count } == 1 && open.told.withLock { $0.count } == 1)
        #expect(watch.warning == nil)
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
