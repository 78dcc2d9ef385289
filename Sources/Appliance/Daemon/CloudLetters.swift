import Appliance
import Cloud
import Vocabulary

/// Dead letters at the role `console`: what they are, from a book that this process keeps of them,
/// and their way back, which is that of the command `dead-letter redrive`.
///
///     page ──▶ LetterBook ──▶ what has gone back by now ──▶ a redriver of this request alone
///                                                              dry: writes nothing, fences nobody
///                                                              else: takes over from any other
struct CloudLetters: Redriving {
    let plane: CloudPlane
    let book: LetterBook

    init(_ plane: CloudPlane, log: KafkaLog) {
        self.plane = plane
        book = LetterBook(partitions: log.partitions) { lane throws(StoreFailure) in
            try log.reader(lane)
        }
    }

    func redrive(_ request: RedriveRequest) async throws -> RedriveAnswer {
        let known = try book.redrives()
        do {
            guard request.isDryRun else {
                return try await plane.redriving(isDryRun: false, knowing: known) {
                    try await $0.redrive(request)
                }
            }
            return try await plane.foretelling(knowing: known) { try await $0.redrive(request) }
        } catch let error as SettingsError {
            throw RedriveRefused("\(error)")
        } catch let error as StoreFailure {
            throw error
        } catch {
            // Of Kafka, of a ledger that is not this plane's: in an operator's words.
            throw StoreFailure.outside("\(error)")
        }
    }
}
