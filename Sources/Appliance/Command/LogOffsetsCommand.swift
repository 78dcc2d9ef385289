import AppendLog
import Appliance
import ArgumentParser
import Terminal
import Vocabulary

extension LogCommand {
    /// `log offsets`
    struct Offsets: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List how far each consumer has read, and how far it lags behind.",
            discussion: """
                offset is what the consumer reads next, end the topic's end. The ledger's are \
                those of ledger.sqlite, an idle stage's are a second old at most.
                """)
        @OptionGroup var options: Options

        mutating func run() async throws {
            let folder = try await options.data.folder()
            let log = try folder.log()
            let ledger = try folder.ledgerIfThere()
            let places: [ConsumerPlaces.Place]
            do {
                places = try ConsumerPlaces(log: log, ledger: ledger).all()
            } catch {
                throw CommandFailure.cannotRun(error)
            }
            let rows = places.map { place in
                [
                    "group": .text(place.group), "topic": .text(place.topic),
                    "offset": .number(place.next.rawValue), "end": .number(place.end.rawValue),
                    "lag": .number(place.lag),
                ] as [String: Table.Cell]
            }
            try Table(columns: ["group", "topic", "offset", "end", "lag"], rows: rows)
                .print(asJSON: options.json, named: "cursors")
        }
    }
}
