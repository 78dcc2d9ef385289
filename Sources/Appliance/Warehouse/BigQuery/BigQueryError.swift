import Vocabulary

/// Why BigQuery did not do what it was asked. Each says what to do next.
package enum BigQueryError: Error, Hashable, Sendable {
    /// No access token was to be had.
    case token(String)
    /// The token was refused, and a new one too.
    case unauthorised(message: String)
    /// The account may not.
    case forbidden(message: String)
    /// No answer came.
    case unreachable(base: String, reason: String, attempts: Int)
    /// It answers that it cannot, attempt after attempt.
    case unavailable(status: Int, message: String, attempts: Int)
    /// A quota is used up; it is given anew by the day, so that no attempt follows.
    case quota(message: String)
    case notFound(message: String)
    /// The request itself is wrong.
    case refused(status: Int, message: String)
    /// The answer is not of the form that the API's description gives.
    case malformed(what: String)
    /// The dataset is elsewhere than the settings say.
    case wrongLocation(dataset: String, is: String, wanted: String)
    /// A job ended with an error.
    case job(id: String, reason: String, message: String)
    /// A job had not ended within the time that it is waited for.
    case jobUnfinished(id: String, seconds: Int64)
    /// As many attempts as are made have failed.
    case attemptsUsedUp(job: String, attempts: Int, last: String)
    /// What BigQuery has counted of a day is not what was sent.
    case otherSums(table: String, day: String, differences: String)
    /// A table at BigQuery is not as the schema says.
    case tableDiffers(table: String, reason: String)
    case cancelled

    /// Whether the same call may do better within minutes.
    package var isPassing: Bool {
        switch self {
        case .unreachable, .unavailable, .jobUnfinished: true
        default: false
        }
    }
}

extension BigQueryError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .token(let reason): reason
        case .unauthorised(let message):
            "BigQuery does not accept the access token, nor a new one (\(message)); check the "
                + "service account and this machine's clock"
        case .forbidden(let message):
            "the service account may not do this at BigQuery (\(message)); it needs the roles "
                + "BigQuery Job User on the project and BigQuery Data Editor on the dataset"
        case .unreachable(let base, let reason, let attempts):
            "BigQuery does not answer at \(base) (\(reason), "
                + "\(Counted.words(attempts, "attempt"))); check bigquery.api_base and the "
                + "network, then run this again: nothing is loaded twice"
        case .unavailable(let status, let message, let attempts):
            "BigQuery answered \(status) \(Counted.words(attempts, "time")) (\(message)); run "
                + "this again later: nothing is loaded twice"
        case .quota(let message):
            "a quota of the project is used up (\(message)); run this again when it is renewed, "
                + "or raise it: what is loaded stays loaded"
        case .notFound(let message):
            "BigQuery knows nothing of it (\(message)); check bigquery.project, bigquery.dataset "
                + "and bigquery.location; datasets that are not there yet are made with "
                + "--create-datasets"
        case .refused(let status, let message): "BigQuery refused with \(status): \(message)"
        case .malformed(let what):
            "BigQuery's answer cannot be read: \(what); check that bigquery.api_base is BigQuery's "
                + "own address and no proxy answers for it, then run this again: nothing is loaded "
                + "twice"
        default: ofWork
        }
    }

    private var ofWork: String {
        switch self {
        case .wrongLocation(let dataset, let found, let wanted):
            "the dataset \(dataset) is in \(found), and bigquery.location says \(wanted); set "
                + "that to \(found) or remove it, or name another dataset"
        case .job(let id, let reason, let message):
            "the job \(id) failed (\(reason)): \(message); its day is left as it was; run this "
                + "again, and where it fails alike look the job up in BigQuery's console"
        case .jobUnfinished(let id, let seconds):
            "the job \(id) has not ended after \(seconds) s; run this again: it is looked for "
                + "then, and not begun a second time"
        case .attemptsUsedUp(let job, let attempts, let last):
            Counted.words(attempts, "attempt") + " of \(job) "
                + Counted.noun(attempts, "has", "have") + " failed, the last with: \(last)"
        case .otherSums(let table, let day, let differences):
            "BigQuery has not what was sent of \(table) on \(day): \(differences); the day is left "
                + "as it was, run this again"
        case .tableDiffers(let table, let reason):
            "the table \(table) at BigQuery is not as the schema says: \(reason)"
        case .cancelled: "interrupted; run this again: nothing is loaded twice"
        default: "BigQuery failed"
        }
    }
}

/// What Google's error object says (AIP-193, and "Error messages" of BigQuery's documentation).
struct BigQueryRefusal: Hashable {
    /// The first error's code word, as `rateLimitExceeded`; empty where there is none.
    var reason: String
    /// Shortened: it goes into a sentence.
    var message: String

    static let messageCharactersMax = 300

    init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }

    /// Of an answer's body, whatever it holds.
    init(in body: [UInt8]) {
        let document = JSONDocument(bytesMax: max(body.count, 1))
        self = withExtendedLifetime(document) {
            guard let error = (try? document.parse(body))?["error"] else {
                return BigQueryRefusal(reason: "", message: "no reason given")
            }
            var first = error["errors"]?.array
            let reason = first?.next()?["reason"]?.string ?? error["status"]?.string ?? ""
            return BigQueryRefusal(
                reason: reason, message: Self.printable(error["message"]?.string))
        }
    }

    /// A message as a line that a terminal may show.
    static func printable(_ message: String?) -> String {
        guard let message, !message.isEmpty else { return "no reason given" }
        return RationedLog.printable(message, charactersMax: messageCharactersMax)
    }
}
