import Logging

/// Errors while the screen belongs to the demo's picture: they become one of its lines, and are
/// written out at the end.
struct DemoLogHandler: LogHandler {
    var logLevel: Logger.Level = .error
    var metadata: Logger.Metadata = [:]
    private let notes: DemoNotes

    /// Makes every logger of the process write into `notes`.
    static func bootstrap(_ notes: DemoNotes) {
        LoggingSystem.bootstrap { _ in DemoLogHandler(notes: notes) }
    }

    private init(notes: DemoNotes) { self.notes = notes }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        notes.warn("\(event.message)" + all.map { " \($0.key)=\($0.value)" }.joined())
    }
}
