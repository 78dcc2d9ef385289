import Hummingbird
import NIOCore
import Vocabulary

/// The twin's control of its deliveries, outside of what Stripe's API has:
///
/// - `GET …/delivery` what came of the deliveries, by endpoint;
/// - `POST …/delivery/faults` with `{"loss":0.1,"duplicate":{"share":0.2,"next":3},
///   "delay_milliseconds":500}` sets the faults that it names, a number being a share;
/// - `DELETE …/delivery/faults` ends them all.
///
/// Every one answers with the state after it.
struct DeliveryRoutes: Sendable {
    let sender: WebhookSender

    /// The longest body that is read.
    private static let bodyByteCountMax = 16 << 10

    /// Mounts the routes under the path of `router`.
    func add(to router: some RouterMethods<some RequestContext>) {
        let sender = sender
        router.get("delivery") { _, _ in Self.state(of: sender) }
        router.post("delivery/faults") { request, _ in
            let body = try await request.body.collect(upTo: Self.bodyByteCountMax)
            do throws(FaultOrderRefusal) {
                let order = try FaultOrder(Array(buffer: body))
                order.apply(to: sender)
                return Self.state(of: sender)
            } catch {
                return Self.refusal(error.sentence)
            }
        }
        router.delete("delivery/faults") { _, _ in
            sender.clearFaults()
            return Self.state(of: sender)
        }
    }

    private static func state(of sender: WebhookSender) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("faults")
        write(sender.faults, into: &writer)
        let quantiles = sender.latency.quantiles([0.5, 0.99])
        writer.member("latency_us_p50", quantiles[0])
        writer.member("latency_us_p99", quantiles[1])
        writer.key("endpoints")
        writer.beginArray()
        for standing in sender.standings() { write(standing, into: &writer) }
        writer.endArray()
        writer.endObject()
        return json(.ok, writer)
    }

    private static func write(_ faults: DeliveryFaults, into writer: inout JSONWriter) {
        writer.beginObject()
        for fault in DeliveryFault.allCases {
            writer.key(named: fault.rawValue)
            writer.beginObject()
            writer.member("share", faults[fault].share)
            writer.member("next", Int64(faults[fault].next))
            writer.endObject()
        }
        writer.member("delay_milliseconds", faults.delayMilliseconds)
        writer.endObject()
    }

    private static func write(_ standing: WebhookSender.Standing, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", standing.endpoint.id)
        writer.member("url", standing.endpoint.url)
        writer.member("pending", Int64(standing.pending))
        writer.member("in_flight", Int64(standing.inFlight))
        for name in DeliveryTally.Name.allCases {
            writer.key(named: name.label)
            writer.int(Int64(standing.tally[name]))
        }
        writer.key("faults_left")
        writer.beginObject()
        for fault in DeliveryFault.allCases where standing.faults[fault].next > 0 {
            writer.key(named: fault.rawValue)
            writer.int(Int64(standing.faults[fault].next))
        }
        writer.endObject()
        writer.key("last_failure")
        write(standing.tally.lastFailure, into: &writer)
        writer.endObject()
    }

    private static func write(
        _ failure: DeliveryTally.Failure?, into writer: inout JSONWriter
    ) {
        guard let failure else { return writer.null() }
        writer.beginObject()
        writer.member("event", failure.event)
        switch failure.outcome {
        case .answered(let status): writer.member("status", Int64(status))
        case .unanswered(let reason): writer.member("reason", reason)
        }
        writer.endObject()
    }

    private static func refusal(_ sentence: String) -> Response {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.member("message", sentence)
        writer.endObject()
        writer.endObject()
        return json(.badRequest, writer)
    }

    private static func json(_ status: HTTPResponse.Status, _ writer: JSONWriter) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes)))
    }
}
