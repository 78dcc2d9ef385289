import HTTPTypes
import Hummingbird
import Synchronization

/// Whether the daemon is ready for traffic, and if not, why.
final class Readiness: Sendable {
    private let reasons: Mutex<[String]>
    /// Each says in one sentence what is wrong, or nil.
    private let watches = Mutex<[@Sendable () -> String?]>([])

    /// Starts out not ready.
    init() { reasons = Mutex(["starting"]) }

    /// An empty list is ready.
    func set(_ reasons: [String]) { self.reasons.withLock { $0 = reasons } }

    /// Why the daemon is not ready; empty when it is.
    var current: [String] { reasons.withLock { $0 } }

    /// Adds what an operator should look at although the daemon is ready; asked at each look.
    func watch(_ warning: @escaping @Sendable () -> String?) {
        watches.withLock { $0.append(warning) }
    }

    var warnings: [String] { watches.withLock { $0 }.compactMap { $0() } }
}

/// `GET /healthz` (alive) and `GET /readyz` (ready, else 503 with the reasons) on the admin port.
/// `warnings` of the latter are no reason to send traffic elsewhere, but to look.
struct HealthRoutes: Sendable {
    let readiness: Readiness
    let counters: Counters
    /// Log lines that found no reader.
    var logLinesLost: @Sendable () -> Int = { 0 }

    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.get("/healthz") { _, _ in Response.jsonObject(.ok) { $0.member("status", "alive") } }
        router.get("/readyz") { _, _ in
            let reasons = readiness.current
            return Response.jsonObject(reasons.isEmpty ? .ok : .serviceUnavailable) { writer in
                writer.member("status", reasons.isEmpty ? "ready" : "not_ready")
                writer.key("reasons")
                writer.beginArray()
                for reason in reasons { writer.string(reason) }
                writer.endArray()
                writer.key("warnings")
                writer.beginArray()
                for warning in readiness.warnings { writer.string(warning) }
                writer.endArray()
            }
        }
        router.get("/api/v1/status") { _, _ in
            Response.jsonObject(.ok) { writer in
                for name in Counters.Name.allCases {
                    writer.key(named: name.label)
                    writer.int(Int64(counters[name]))
                }
                writer.member("log_lines_lost", Int64(logLinesLost()))
            }
        }
        return router
    }
}
