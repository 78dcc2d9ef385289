import Traffic
import Vocabulary

/// `/v1/webhook_endpoints`.
extension TwinBooks {
    mutating func endpointCall(
        _ method: APIRequest.Method, _ rest: ArraySlice<String>, _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        let parts = Array(rest)
        switch (method, parts.count) {
        case (.get, 0):
            return try list(
                webhookEndpoints, parameters, url: "/v1/webhook_endpoints", kind: .other,
                { .webhookEndpoint($0) }
            ) { !$0.isDeleted }
        case (.post, 0): return try createEndpoint(parameters)
        case (.get, 1): return .object(.webhookEndpoint(try livingEndpoint(parts[0])))
        case (.post, 1):
            let ref = try livingEndpoint(parts[0])
            var endpoint = webhookEndpoints[ref]
            try change(&endpoint, parameters)
            if let isDisabled = try parameters.bool("disabled") { endpoint.isEnabled = !isDisabled }
            try parameters.finish()
            webhookEndpoints[ref] = endpoint
            return .object(.webhookEndpoint(ref))
        case (.delete, 1):
            let ref = try livingEndpoint(parts[0])
            try parameters.finish()
            webhookEndpoints[ref].isDeleted = true
            return .deleted(id: id(ref), object: "webhook_endpoint")
        default: throw Self.unknownAddress(method, ["webhook_endpoints"] + parts)
        }
    }

    func livingEndpoint(_ id: String) throws(APIRefusal) -> Ref<TwinWebhookEndpoint> {
        let ref = try named(id, webhookEndpoints)
        guard !webhookEndpoints[ref].isDeleted else {
            throw Self.noSuch("webhook endpoint", id, parameter: "id", status: 404)
        }
        return ref
    }

    private mutating func createEndpoint(
        _ parameters: APIParameters
    ) throws(APIRefusal) -> APIReply {
        var endpoint = TwinWebhookEndpoint(
            created: now, url: try parameters.requiredText("url"), secrets: [], enabledEvents: [])
        try change(&endpoint, parameters)
        guard !endpoint.enabledEvents.isEmpty else { throw parameters.missing("enabled_events") }
        if let version = try parameters.text("api_version") {
            guard StripeNames.versions.contains(version) else {
                throw parameters.invalid("api_version", version)
            }
            endpoint.apiVersion = StripeVersion(version)
        }
        if try parameters.bool("connect") ?? false { endpoint.hears = .connected }
        try parameters.finish()
        let ref = add(endpoint)
        var writer = JSONWriter()
        write(ref, showsSecret: true, into: &writer)
        return .written(writer.bytes, id: id(ref))
    }

    /// Follows what the settings name: endpoints that they named before and no more are taken away,
    /// one at the same address gets its secrets and types from them.
    mutating func adopt(_ wanted: [TwinEndpoint]) {
        var left = wanted
        for place in 0..<webhookEndpoints.count {
            let ref = Ref<TwinWebhookEndpoint>(place)
            let known = webhookEndpoints[ref]
            guard known.isOfSettings, !known.isDeleted else { continue }
            if let match = left.firstIndex(where: { $0.url == known.url }) {
                webhookEndpoints[ref].follow(left.remove(at: match))
            } else {
                webhookEndpoints[ref].isDeleted = true
            }
        }
        for endpoint in left {
            var new = TwinWebhookEndpoint(
                created: now, url: endpoint.url, secrets: [], enabledEvents: [])
            new.isOfSettings = true
            new.follow(endpoint)
            _ = add(new)
        }
    }

    /// Adds an endpoint, with a secret of its own where it has none.
    mutating func add(_ endpoint: TwinWebhookEndpoint) -> Ref<TwinWebhookEndpoint> {
        let ref = webhookEndpoints.append(endpoint)
        if endpoint.secrets.isEmpty { webhookEndpoints[ref].secrets = [newSecret(of: ref)] }
        return ref
    }

    /// The `n`th secret of an endpoint.
    func newSecret(of ref: Ref<TwinWebhookEndpoint>, generation: UInt64 = 0) -> String {
        let serial = ObjectSerial(UInt64(ref.index) + 1)
        let noise = (0..<3).map { ids.noise(serial, salt: 100 + 10 * generation + $0) }
        return "whsec_" + noise.map { String($0, radix: 36) }.joined()
    }

    private func change(
        _ endpoint: inout TwinWebhookEndpoint, _ parameters: APIParameters
    ) throws(APIRefusal) {
        if let url = try parameters.text("url") { endpoint.url = url }
        guard endpoint.url.hasPrefix("http://") || endpoint.url.hasPrefix("https://") else {
            throw APIRefusal(
                code: "url_invalid", message: "Invalid URL: An explicit scheme (such as https) "
                    + "must be provided.", parameter: "url")
        }
        if parameters.has("enabled_events") {
            endpoint.enabledEvents = try Self.eventTypes(parameters)
        }
        if parameters.has("description") {
            endpoint.description = try parameters.text("description")
        }
        endpoint.metadata = try parameters.metadata(endpoint.metadata)
    }

    private static func eventTypes(_ parameters: APIParameters) throws(APIRefusal) -> [String] {
        let types = try parameters.texts("enabled_events")
        for (place, type) in types.enumerated()
        where type != "*" && !StripeNames.eventTypes.contains(type) {
            throw APIRefusal(
                message: "Invalid enabled_events[\(place)]: must be one of Stripe's event types "
                    + "(docs.stripe.com/api/events/types), or *; it is \(type).",
                parameter: "enabled_events[\(place)]")
        }
        return types
    }

    func write(
        _ ref: Ref<TwinWebhookEndpoint>, showsSecret: Bool = false, into writer: inout JSONWriter
    ) {
        let endpoint = webhookEndpoints[ref]
        writer.beginObject()
        writer.member("id", id(ref))
        writer.member("object", "webhook_endpoint")
        writer.member("api_version", endpoint.apiVersion?.text)
        writer.nulls("application")
        writer.member("created", endpoint.created)
        writer.member("description", endpoint.description)
        writer.texts("enabled_events", endpoint.enabledEvents)
        writer.member("livemode", false)
        writer.fields("metadata", endpoint.metadata)
        if showsSecret { writer.member("secret", endpoint.secrets.first) }
        writer.member("status", endpoint.isEnabled ? "enabled" : "disabled")
        writer.member("url", endpoint.url)
        writer.endObject()
    }
}

extension TwinWebhookEndpoint {
    fileprivate mutating func follow(_ endpoint: TwinEndpoint) {
        secrets = endpoint.secrets
        enabledEvents = endpoint.enabledEvents
        apiVersion = endpoint.apiVersion
        hears = endpoint.hears
    }
}
