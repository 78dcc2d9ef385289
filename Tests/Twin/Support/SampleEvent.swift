package import Twin

extension TwinEvent {
    /// A webhook of no object: what a delivery's tests need of one.
    package static func sample(_ number: Int, type: String = "charge.succeeded") -> TwinEvent {
        let id = "evt_" + String(repeating: "0", count: 20 - "\(number)".count) + "\(number)"
        let body = Array(#"{"id":"\#(id)","object":"event","type":"\#(type)"}"#.utf8)
        return TwinEvent(id: id, type: type, created: 0, account: nil, body: body)
    }
}
