/// What a call says of Connect: fees, destinations and on whose behalf.
extension TwinBooks {
    private static let termNames = [
        "application_fee", "application_fee_amount", "destination", "on_behalf_of",
        "transfer_data",
    ]

    /// The terms as they are after this call.
    ///
    /// - Parameter amount: of the payment, or what of it is captured.
    func readTerms(
        _ before: Shared<ConnectTerms>?, _ parameters: APIParameters, amount: Int64
    ) throws(APIRefusal) -> Shared<ConnectTerms>? {
        guard Self.termNames.contains(where: parameters.has) else { return before }
        var terms = before?.value ?? ConnectTerms()
        for name in ["application_fee", "application_fee_amount"] where parameters.has(name) {
            terms.applicationFee = try parameters.integer(name)
        }
        if parameters.has("on_behalf_of") {
            terms.onBehalfOf = try connectedAccount("on_behalf_of", in: parameters)
        }
        try readDestination(&terms, parameters)
        try check(terms, amount: amount)
        return terms.isEmpty ? nil : Shared(terms)
    }

    /// `transfer_data[…]`, and `destination` as the older API has it.
    private func readDestination(
        _ terms: inout ConnectTerms, _ parameters: APIParameters
    ) throws(APIRefusal) {
        if let data = parameters.below("transfer_data") {
            data.ignore("description", "metadata")
            if data.has("destination") {
                terms.destination = try connectedAccount("destination", in: data)
            }
            if data.has("amount") { terms.transferAmount = try data.integer("amount") }
        }
        guard let destination = parameters.below("destination") else { return }
        if destination.tree.children.isEmpty {
            terms.destination = try connectedAccount("destination", in: parameters)
        } else {
            terms.destination = try connectedAccount("account", in: destination)
            terms.transferAmount = try destination.integer("amount")
        }
    }

    /// The connected account that a parameter names; nil where it is unset.
    func connectedAccount(
        _ key: String, in parameters: APIParameters
    ) throws(APIRefusal) -> String? {
        guard let id = try parameters.text(key) else { return nil }
        guard !isConnected else {
            throw APIRefusal(
                message: "Only a platform names other accounts; this is made on a connected one.",
                parameter: parameters.name(key))
        }
        guard id != accountID else {
            throw APIRefusal(
                message: "You cannot use your own account \(id) here.",
                parameter: parameters.name(key))
        }
        guard connectedAccounts.contains(id) else {
            throw Self.noSuch("destination", id, parameter: parameters.name(key), status: 400)
        }
        return id
    }

    private func check(_ terms: ConnectTerms, amount: Int64) throws(APIRefusal) {
        if let fee = terms.applicationFee {
            guard fee >= 0, fee <= amount else {
                throw APIRefusal(
                    code: fee < 0 ? "parameter_invalid_integer" : "application_fee_too_large",
                    message: fee < 0
                        ? "This value must be greater than or equal to 0."
                        : "The application fee cannot be greater than the payment's amount.",
                    parameter: "application_fee_amount")
            }
            guard isConnected || terms.destination != nil else {
                throw APIRefusal(
                    message: "Can only apply an application_fee_amount when the payment is made "
                        + "directly on a connected account (using the Stripe-Account header) or "
                        + "is a destination payment (using `transfer_data[destination]`).",
                    parameter: "application_fee_amount")
            }
        }
        guard let transfer = terms.transferAmount else { return }
        guard terms.destination != nil else {
            throw APIRefusal(
                code: "parameter_missing",
                message: "Missing required param: transfer_data[destination].",
                parameter: "transfer_data[destination]")
        }
        guard transfer > 0, transfer <= amount else {
            throw APIRefusal(
                message: "transfer_data[amount] is at least 1 and no more than the payment's "
                    + "amount.", parameter: "transfer_data[amount]")
        }
        guard terms.applicationFee == nil else {
            throw APIRefusal(
                message: "You can only provide one of application_fee_amount and "
                    + "transfer_data[amount].", parameter: "transfer_data[amount]")
        }
    }

    /// Transfers, fees and their refunds are the platform's.
    func checkIsPlatform() throws(APIRefusal) {
        guard isConnected else { return }
        throw APIRefusal(
            status: 403,
            message: "A connected account cannot do this; call it as the platform, without "
                + "Stripe-Account.")
    }
}
