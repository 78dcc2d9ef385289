import NIOHTTP1
import Vocabulary

/// A job as BigQuery tells of it.
struct BigQueryJob: Hashable, Sendable {
    /// Why it failed.
    struct Failure: Hashable, Sendable {
        /// The code word, as `invalid` or `quotaExceeded`.
        var reason: String
        var message: String

        /// Whether the same job may do better later ("Error messages" of the documentation; 200 is
        /// the code of `stopped`, which somebody may have done).
        var isPassing: Bool {
            [
                "backendError", "internalError", "jobBackendError", "jobInternalError",
                "jobRateLimitExceeded", "rateLimitExceeded", "tableUnavailable", "timeout",
            ].contains(reason)
                // Two that swap days of one table at once: one of them comes after the other.
                || message.contains("aborted due to concurrent update")
        }
    }

    var id: String
    var location: String?
    var isDone: Bool
    /// nil while it runs, and where it did well.
    var failure: Failure?

    init(_ root: JSONValue) throws(BigQueryError) {
        guard let id = root["jobReference"]?["jobId"]?.string,
            let state = root["status"]?["state"]?.string
        else { throw .malformed(what: "a job without jobReference.jobId and status.state") }
        self.id = id
        location = root["jobReference"]?["location"]?.string
        isDone = state == "DONE"
        failure = root["status"]?["errorResult"].flatMap { error in
            error.isNull
                ? nil
                : Failure(
                    reason: error["reason"]?.string ?? "",
                    message: Self.message(root, error))
        }
    }

    /// The outcome's own words are often "see errors[]": the first of those says more.
    private static func message(_ root: JSONValue, _ error: JSONValue) -> String {
        let first = error["message"]?.string
        var errors = root["status"]?["errors"]?.array
        while let next = errors?.next() {
            if let more = next["message"]?.string, more != first {
                let both = [first, more].compactMap(\.self).joined(separator: "; ")
                return BigQueryRefusal.printable(both)
            }
        }
        return BigQueryRefusal.printable(first)
    }
}

/// What came of beginning a job.
enum BigQueryInsertion: Hashable, Sendable {
    case begun(BigQueryJob)
    /// One of that name is there already (409).
    case exists
}

extension BigQueryClient {
    /// Reads a job; nil where there is none of that name in that location.
    func job(_ id: String, in location: String) async throws(BigQueryError) -> BigQueryJob? {
        try await ask(.GET, url("/jobs/\(id)", [("location", location)])) {
            _, root throws(BigQueryError) in try BigQueryJob(root)
        }
    }

    /// Begins a job that runs SQL.
    func beginScript(
        _ id: String, _ sql: String, in location: String
    ) async throws(BigQueryError) -> BigQueryInsertion {
        var writer = JSONWriter()
        writer.beginObject()
        writer.jobReference(id, place.project, location)
        writer.key("configuration")
        writer.beginObject()
        writer.key("query")
        writer.beginObject()
        writer.member("query", sql)
        writer.member("useLegacySql", false)
        writer.endObject()
        writer.endObject()
        writer.endObject()
        let answer = try await exchange(
            BigQueryRequest(
                .POST, url("/jobs"), headers: [(name: "Content-Type", value: "application/json")],
                body: writer.bytes))
        return try insertion(answer)
    }

    func insertion(_ answer: BigQueryAnswer) throws(BigQueryError) -> BigQueryInsertion {
        switch answer.status {
        case 409: return .exists
        case 200..<300:
            return .begun(
                try Self.reading(answer.body) { root throws(BigQueryError) in
                    try BigQueryJob(root)
                })
        default: throw .notFound(message: BigQueryRefusal(in: answer.body).message)
        }
    }

    /// Waits for a job's end.
    ///
    /// - Throws: `jobUnfinished` where it takes longer than ``BigQueryPatience/jobSecondsMax``.
    func end(of job: BigQueryJob, in location: String) async throws(BigQueryError) -> BigQueryJob {
        var job = job
        var waited: Int64 = 0
        var wait = patience.pollMilliseconds.lowerBound
        while !job.isDone {
            guard waited < patience.jobSecondsMax * 1_000 else {
                throw .jobUnfinished(id: job.id, seconds: patience.jobSecondsMax)
            }
            try await rest(.milliseconds(wait))
            waited += wait
            wait = min(wait * 2, patience.pollMilliseconds.upperBound)
            guard let next = try await self.job(job.id, in: job.location ?? location) else {
                throw .notFound(message: "the job \(job.id) is gone")
            }
            job = next
        }
        return job
    }

    /// Brings a job of a name to a good end, whoever began it.
    ///
    /// The names are tried in their order. A job that exists is not begun again: its outcome
    /// counts. One that has failed makes room for the next name; so does one whose work is no
    /// longer there.
    ///
    /// - Parameters:
    ///   - name: the name of each attempt, from 0.
    ///   - begin: begins the job of a name.
    ///   - isStillThere: whether a job that was found, and went well, has its work in place.
    func carryOut(
        _ what: String, in location: String, name: (_ attempt: Int) -> String,
        begin: (_ id: String) async throws(BigQueryError) -> BigQueryInsertion,
        isStillThere: () async throws(BigQueryError) -> Bool
    ) async throws(BigQueryError) {
        var failures = 1
        for attempt in 0..<LoadJobName.attemptsMax {
            let id = name(attempt)
            let insertion = try await begin(id)
            var isOurs = false
            var job: BigQueryJob
            switch insertion {
            case .begun(let begun): (job, isOurs) = (begun, true)
            case .exists:
                guard let found = try await self.job(id, in: location) else {
                    throw .notFound(message: "the job \(id) exists, but not in \(location)")
                }
                job = found
            }
            job = try await end(of: job, in: location)
            guard let failure = job.failure else {
                if isOurs { return }
                if try await isStillThere() { return }
                continue
            }
            guard isOurs else { continue }
            let error = Self.error(of: job, failure)
            guard failure.isPassing else { throw error }
            guard failures < patience.attemptsMax else {
                throw .attemptsUsedUp(job: what, attempts: failures, last: error.description)
            }
            try await rest(patience.wait(after: failures, random: random()))
            failures += 1
        }
        throw .attemptsUsedUp(
            job: what, attempts: LoadJobName.attemptsMax, last: "every name of it is taken")
    }

    private static func error(
        of job: BigQueryJob, _ failure: BigQueryJob.Failure
    ) -> BigQueryError {
        switch failure.reason {
        case "quotaExceeded": .quota(message: failure.message)
        case "accessDenied": .forbidden(message: failure.message)
        default: .job(id: job.id, reason: failure.reason, message: failure.message)
        }
    }
}

extension JSONWriter {
    mutating func jobReference(_ id: String, _ project: String, _ location: String) {
        key("jobReference")
        beginObject()
        member("projectId", project)
        member("jobId", id)
        member("location", location)
        endObject()
    }
}
