import Traffic

/// Any object that an answer can be, or a list can hold.
enum ObjectReference: Sendable {
    case customer(Ref<TwinCustomer>)
    case paymentMethod(Ref<TwinPaymentMethod>)
    case paymentIntent(Ref<TwinPaymentIntent>)
    case charge(Ref<TwinCharge>)
    case refund(Ref<TwinRefund>)
    case dispute(Ref<TwinDispute>)
    case transaction(Ref<TwinTransaction>)
    case payout(Ref<TwinPayout>)
    case transfer(Ref<TwinTransfer>)
    case transferReversal(Ref<TwinTransferReversal>)
    case applicationFee(Ref<TwinApplicationFee>)
    case feeRefund(Ref<TwinFeeRefund>)
    case topUp(Ref<TwinTopUp>)
    case event(Int)
    case webhookEndpoint(Ref<TwinWebhookEndpoint>)

    var kind: Expansion.Kind {
        switch self {
        case .customer: .customer
        case .paymentMethod: .paymentMethod
        case .paymentIntent: .paymentIntent
        case .charge: .charge
        case .refund: .refund
        case .dispute: .dispute
        case .transaction: .balanceTransaction
        case .payout: .payout
        case .transfer: .transfer
        case .transferReversal: .transferReversal
        case .applicationFee: .applicationFee
        case .feeRefund: .feeRefund
        case .topUp: .topUp
        case .event: .event
        case .webhookEndpoint: .other
        }
    }
}

/// What a call comes to, before it is written.
enum APIReply: Sendable {
    case object(ObjectReference)
    case list([ObjectReference], hasMore: Bool, url: String, kind: Expansion.Kind)
    /// An object that is no more.
    case deleted(id: String, object: String)
    case balance
    case account
    /// JSON that the call has written itself.
    case written([UInt8], id: String?)
}

extension TwinBooks {
    func id(of reference: ObjectReference) -> String {
        switch reference {
        case .customer(let ref): id(ref)
        case .paymentMethod(let ref): id(ref)
        case .paymentIntent(let ref): id(ref)
        case .charge(let ref): id(ref)
        case .refund(let ref): id(ref)
        case .dispute(let ref): id(ref)
        case .transaction(let ref): id(ref)
        case .payout(let ref): id(ref)
        case .transfer(let ref): id(ref)
        case .transferReversal(let ref): id(ref)
        case .applicationFee(let ref): id(ref)
        case .feeRefund(let ref): id(ref)
        case .topUp(let ref): id(ref)
        case .webhookEndpoint(let ref): id(ref)
        case .event(let number): ids.string(.event, ObjectSerial(UInt64(number) + 1))
        }
    }
}
