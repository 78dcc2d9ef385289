import ArgumentParser

/// `tillbox replay`
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "replay", abstract: "x")
    mutating func run() async throws {}
}
