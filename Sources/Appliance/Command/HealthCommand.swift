import ArgumentParser
import Daemon
import Foundation
import NIOHTTP1
import Terminal
import Vocabulary

/// `tillbox health`: for whoever supervises a container, without a shell or an HTTP client in it.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Say by the exit code whether the daemon or role here lives, for a supervisor.",
        discussion: """
            Asks /healthz at admin.host and admin.port, and with --ready /readyz. Exit codes: 0 \
            well, 1 not, or nobody answers. What a person wants to know says `tillbox status`.
            """)
    @OptionGroup var data: DataOptions
    @Flag(help: "Whether it takes deliveries or does its role's work, not only whether it lives.")
    var ready = false

    mutating func run() async throws {
        let settings = try await data.settings(needsSecrets: false)
        let asked = AdminConnection.Asked(settings.profile)
        let path = ready ? "/readyz" : "/healthz"
        let answer: (status: Int, body: [UInt8])
        do throws(CommandFailure) {
            answer = try await AdminConnection(settings, asked: asked).answer(path)
        } catch {
            throw CommandFailure.foundSomething(error.message)
        }
        guard answer.status != 200 else { return }
        // It is another folder's, and may well be well.
        if answer.status == 409, let detail = Self.texts("detail", of: answer.body).first {
            throw CommandFailure.foundSomething(ShownText.escaped(detail))
        }
        let reasons = Self.texts("reasons", of: answer.body)
        throw CommandFailure.foundSomething(
            "the \(asked) at \(settings.admin) is not well (\(path) says \(answer.status))"
                + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: "; ")))
    }

    /// A text, or a list of them, that the answer has under this name.
    private static func texts(_ name: String, of body: [UInt8]) -> [String] {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        return withExtendedLifetime(document) {
            guard let value = (try? document.parse(body))?.member(named: name) else { return [] }
            return value.string.map { [$0] } ?? value.array?.compactMap(\.string) ?? []
        }
    }
}
