import AppendLog
import Foundation
import LogSupport
import Synchronization
import NIOHTTP1
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Vocabulary

@Suite("Coming in to the console", .serialized)
struct SignInTests {
    @Test("what is wrong is not told apart")
    func oneAnswer() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        try await world.add("off")
        try world.store.setDisabled(world.now, of: "off", keepsAdmin: false)
        try await world.add("codes")
        try world.store.setCodeSecret(OneTimeCode.secret(), of: "codes")
        var answers: Set<String> = []
        for (name, password) in [
            ("ann", "another password!"), ("nobody", AccessWorld.password), ("", ""),
            ("off", AccessWorld.password), ("codes", AccessWorld.password),
            ("ann", String(repeating: "x", count: 2_000)),
        ] {
            let answer = await world.post(
                "/login", ["name": name, "password": password], from: "10.1.0.\(answers.count)")
            #expect(answer.status == 401, "\(name)")
            #expect(answer.field("Set-Cookie") == nil)
            answers.insert(answer.body)
        }
        #expect(answers.count == 1)
    }

    @Test("an unknown user takes as long as a known one")
    func sameTime() async throws {
        // Cheap enough to try often, and dear enough to be seen beside the rest.
        let world = try AccessWorld(logN: 14)
        try await world.add("ann")
        func taken(_ name: String, _ number: Int) async -> Duration {
            let begun = ContinuousClock.now
            let answer = await world.post(
                "/login", ["name": name, "password": "another password!"],
                from: "\(name).\(number)")
            #expect(answer.status == 401)
            world.clock.advance(milliseconds: 60_000)
            return begun.duration(to: .now)
        }
        // By turns, so that what else the machine does slows both alike.
        var (known, unknown) = (Duration.seconds(60), Duration.seconds(60))
        for number in 0..<5 {
            known = min(known, await taken("ann", number))
            unknown = min(unknown, await taken("nobody", number))
        }
        #expect(unknown > known / 2 && known > unknown / 2, "\(known), \(unknown)")
    }

    @Test("few passwords are worked on at once, and further ones are told to come back")
    func bounded() async throws {
        let world = try AccessWorld(logN: 14)
        try await world.add("ann")
        let count = AccessLimits.passwordsAtOnce + AccessLimits.passwordsWaitingMax + 12
        let statuses = await withTaskGroup(of: Int.self) { group in
            for number in 0..<count {
                group.addTask {
                    await world.post(
                        "/login", ["name": "user\(number)", "password": "another password!"],
                        from: "10.2.0.\(number)").status
                }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(Set(statuses.keys).isSubset(of: [401, 503]))
        #expect(statuses[401, default: 0] >= AccessLimits.passwordsAtOnce)
        #expect(statuses[503, default: 0] > 0)
        _ = try await world.session("ann")
    }

    @Test("who guesses waits longer and longer, and is never locked out for good")
    func throttled() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        func attempt(_ password: String, from address: String) async -> AccessAnswer {
            await world.post("/login", ["name": "ann", "password": password], from: address)
        }
        var waits: [Int] = []
        for number in 0..<40 where waits.count < 8 {
            let answer = await attempt("wrong, wrong, wrong", from: "10.3.0.\(number)")
            guard answer.status == 429 else { continue }
            let seconds = try #require(answer.field("Retry-After").flatMap { Int($0) })
            waits.append(seconds)
            world.clock.advance(milliseconds: Int64(seconds) * 1_000)
        }
        #expect(waits.count == 8)
        #expect(waits == waits.sorted())
        #expect(Set(waits).count > 3)
        #expect(waits.last.map { Int64($0) } == LoginThrottle.accountWaitMax)
        #expect(
            await attempt(AccessWorld.password, from: "10.9.9.9").status == 303,
            "once the wait is over the right password is taken")
    }

    @Test("what others guess elsewhere does not keep out who has been here before")
    func knownAddress() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        func attempt(_ password: String, from address: String) async -> Int {
            await world.post(
                "/login", ["name": "Ann", "password": password], from: address
            ).status
        }
        #expect(await attempt(AccessWorld.password, from: "192.0.2.1") == 303)
        for number in 0..<20 {
            _ = await attempt("wrong, wrong, wrong", from: "10.4.0.\(number)")
        }
        #expect(await attempt(AccessWorld.password, from: "10.4.1.1") == 429)
        #expect(await attempt(AccessWorld.password, from: "192.0.2.1") == 303)
    }

    @Test("who has an account cannot guess others' for want of waiting, by signing in in between")
    func ownLogins() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        try await world.add("eve", .viewer)
        let address = "10.6.0.1"
        let started = world.now
        func attempt(_ name: String, _ password: String) async throws -> Int {
            while true {
                let answer = await world.post(
                    "/login", ["name": name, "password": password], from: address)
                guard answer.status == 429 else { return answer.status }
                let seconds = try #require(answer.field("Retry-After").flatMap { Int64($0) })
                world.clock.advance(milliseconds: seconds * 1_000)
            }
        }
        for number in 0..<40 {
            #expect(try await attempt("eve", AccessWorld.password) == 303)
            #expect(try await attempt("user\(number)", "wrong, wrong, wrong") == 401)
        }
        let waited = (world.now - started) / 1_000
        #expect(waited > 20 * LoginThrottle.addressWaitMax, "40 guesses in \(waited) s")
    }

    @Test("many who sign in from one address, and mistype now and then, do not wait")
    func manyPeople() async throws {
        let world = try AccessWorld()
        for number in 0..<12 { try await world.add("user\(number)", .viewer) }
        for number in 0..<12 {
            if number % 4 == 0 {
                let bad = await world.post(
                    "/login", ["name": "user\(number)", "password": "mistyped, mistyped"])
                #expect(bad.status == 401)
            }
            let good = await world.post(
                "/login", ["name": "user\(number)", "password": AccessWorld.password])
            #expect(good.status == 303, "user\(number): \(good.status)")
        }
    }

    @Test("an address that tries many names waits too; what is known of both is bounded")
    func manyNames() {
        let throttle = LoginThrottle()
        var waits = 0
        for number in 0..<100 {
            let attempt = LoginThrottle.Attempt(account: "user\(number)", address: "10.5.0.1")
            if throttle.begin(attempt, atMilliseconds: 0) != nil { waits += 1 }
        }
        #expect(waits > 90)
        for number in 0..<(LoginThrottle.entryCountMax * 2) {
            let attempt = LoginThrottle.Attempt(account: "u\(number)", address: "a\(number)")
            _ = throttle.begin(attempt, atMilliseconds: Int64(number))
        }
        #expect(throttle.counts.accounts <= LoginThrottle.entryCountMax)
        #expect(throttle.counts.addresses <= LoginThrottle.entryCountMax)
    }

    @Test("a code is asked for where there is a secret, and is good once")
    func codes() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let secret = OneTimeCode.secret()
        try world.store.setCodeSecret(secret, of: "ann")
        func attempt(_ code: String) async -> Int {
            await world.post(
                "/login", ["name": "ann", "password": AccessWorld.password, "code": code],
                from: "10.6.0.\(code.suffix(2))"
            ).status
        }
        let step = OneTimeCode.step(atMilliseconds: world.now)
        #expect(await attempt("") == 401)
        #expect(await attempt(OneTimeCode.code(secret, step: step - 2)) == 401)
        let last = OneTimeCode.code(secret, step: step - 1)
        #expect(await attempt(last) == 303, "the clocks may differ by a step")
        #expect(await attempt(last) == 401, "it was used")
        let current = OneTimeCode.code(secret, step: step)
        #expect(await attempt("\(current.prefix(3)) \(current.suffix(3))") == 303)
        world.clock.advance(milliseconds: 120_000)
        try world.store.setPassword(
            try await world.desk.passwords.hash(try Password(new: AccessWorld.password)),
            of: "ann", dropsCodes: true)
        #expect(await attempt("") == 303, "another password drops a lost secret")
    }

    @Test("a login form of another page, or of none, is refused")
    func foreignForm() async throws {
        let world = try AccessWorld()
        try await world.add("ann")
        let form = "name=ann&password=correct+horse+battery"
        let type = ("Content-Type", PostedForm.type)
        for fields in [[], [("Origin", "http://evil.example")], [("Origin", "null")]] {
            let answer = await world.ask(.POST, "/login", [type] + fields, body: form)
            #expect(answer.status == 403, "\(fields)")
            #expect(answer.session == nil)
        }
        let own = [("Origin", "null"), ("Sec-Fetch-Site", "same-origin"), type]
        #expect(await world.ask(.POST, "/login", own, body: form).status == 303)
    }
}

@Suite("One-time codes")
struct OneTimeCodeTests {
    /// RFC 6238, appendix B, in the rows of SHA-1: eight digits of that secret.
    @Test("the codes are RFC 6238's", arguments: [
        (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"), (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
    ] as [(Int64, String)])
    func vectors(seconds: Int64, code: String) {
        let secret = Array("12345678901234567890".utf8)
        let step = OneTimeCode.step(atMilliseconds: seconds * 1_000)
        #expect(OneTimeCode.code(secret, step: step, digits: 8) == code)
        #expect(OneTimeCode.code(secret, step: step) == code.suffix(6))
        let shown = String(code.suffix(6))
        for (offset, isGood) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)]
        where seconds + Int64(offset) * 30 >= 0 {
            let found = OneTimeCode.step(
                of: shown, secret, atMilliseconds: (seconds + Int64(offset) * 30) * 1_000)
            #expect((found == step) == isGood, "\(offset)")
        }
    }

    /// RFC 4648 §10, without its padding.
    @Test("a secret is written in base32", arguments: [
        ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
    ])
    func base32(bytes: String, text: String) {
        #expect(OneTimeCode.text(of: Array(bytes.utf8)) == text)
    }
}
