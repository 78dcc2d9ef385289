/// The objects of a webhook as Stripe's API writes them, with a marker where a value goes.
///
/// The fields are those of the example objects in Stripe's OpenAPI description
/// (github.com/stripe/openapi, `fixtures3.json`); a test compares the two.
enum ObjectTemplateText {
    /// A Charge of one card payment.
    static let charge = """
        {
          "id": {{charge}},
          "object": "charge",
          "amount": {{amount}},
          "amount_captured": {{amountCaptured}},
          "amount_refunded": {{amountRefunded}},
          "application": null,
          "application_fee": null,
          "application_fee_amount": null,
          "balance_transaction": {{balanceTransaction}},
          "billing_details": {
            "address": {
              "city": {{billingCity}},
              "country": {{billingCountry}},
              "line1": {{billingLine}},
              "line2": null,
              "postal_code": {{billingPostalCode}},
              "state": null
            },
            "email": {{email}},
            "name": {{name}},
            "phone": null,
            "tax_id": null
          },
          "calculated_statement_descriptor": {{descriptor}},
          "captured": {{captured}},
          "created": {{created}},
          "currency": {{currency}},
          "customer": {{customer}},
          "description": {{description}},
          "disputed": {{disputed}},
          "failure_balance_transaction": null,
          "failure_code": {{failureCode}},
          "failure_message": {{failureMessage}},
          "fraud_details": {},
          "livemode": false,
          "metadata": {{metadata}},
          "on_behalf_of": null,
          "outcome": {
            "advice_code": {{adviceCode}},
            "network_advice_code": null,
            "network_decline_code": {{networkDeclineCode}},
            "network_status": {{networkStatus}},
            "reason": {{declineReason}},
            "seller_message": {{sellerMessage}},
            "type": {{outcomeType}}
          },
          "paid": {{paid}},
          "payment_intent": {{paymentIntent}},
          "payment_method": {{paymentMethod}},
          "payment_method_details": {
            "card": {
              "amount_authorized": {{amountAuthorized}},
              "brand": {{brand}},
              "checks": {
                "address_line1_check": null,
                "address_postal_code_check": "pass",
                "cvc_check": {{cvcCheck}}
              },
              "country": {{cardCountry}},
              "exp_month": {{expiryMonth}},
              "exp_year": {{expiryYear}},
              "extended_authorization": {
                "status": "disabled"
              },
              "fingerprint": {{fingerprint}},
              "funding": {{funding}},
              "incremental_authorization": {
                "status": "unavailable"
              },
              "installments": null,
              "last4": {{lastFour}},
              "mandate": null,
              "multicapture": {
                "status": "unavailable"
              },
              "network": {{brand}},
              "network_token": {
                "used": false
              },
              "overcapture": {
                "maximum_amount_capturable": {{amount}},
                "status": "unavailable"
              },
              "three_d_secure": null,
              "wallet": null,
              "authorization_code": {{authorizationCode}},
              "regulated_status": "unregulated",
              "network_transaction_id": {{networkTransaction}},
              "transaction_link_id": null
            },
            "type": "card"
          },
          "receipt_email": {{email}},
          "receipt_number": null,
          "receipt_url": {{receiptURL}},
          "refunded": {{refunded}},
        {{refunds}}  "review": null,
          "shipping": {{shipping}},
          "source": null,
          "source_transfer": null,
          "statement_descriptor": null,
          "statement_descriptor_suffix": null,
          "status": {{status}},
          "transfer_data": null,
          "transfer_group": null
        }
        """

    /// The PaymentIntent that a charge belongs to.
    static let paymentIntent = """
        {
          "id": {{paymentIntent}},
          "object": "payment_intent",
          "amount": {{amount}},
          "amount_capturable": {{amountCapturable}},
          "amount_details": {
            "tip": {}
          },
          "amount_received": {{amountReceived}},
          "application": null,
          "application_fee_amount": null,
          "automatic_payment_methods": {
            "allow_redirects": "always",
            "enabled": true
          },
          "canceled_at": null,
          "cancellation_reason": null,
          "capture_method": {{captureMethod}},
          "client_secret": {{clientSecret}},
          "confirmation_method": "automatic",
          "created": {{created}},
          "currency": {{currency}},
          "customer": {{customer}},
          "customer_account": null,
          "description": {{description}},
          "excluded_payment_method_types": null,
          "last_payment_error": {{lastPaymentError}},
          "latest_charge": {{charge}},
          "livemode": false,
          "managed_payments": {
            "enabled": false
          },
          "metadata": {{metadata}},
          "next_action": null,
          "on_behalf_of": null,
          "payment_method": {{paymentMethod}},
          "payment_method_configuration_details": null,
          "payment_method_options": {
            "card": {
              "installments": null,
              "mandate_options": null,
              "network": null,
              "request_three_d_secure": "automatic"
            }
          },
          "payment_method_types": [
            "card"
          ],
          "processing": null,
          "receipt_email": {{email}},
          "review": null,
          "setup_future_usage": null,
          "shipping": {{shipping}},
          "source": null,
          "statement_descriptor": null,
          "statement_descriptor_suffix": null,
          "status": {{status}},
          "transfer_data": null,
          "transfer_group": null
        }
        """

    /// A Refund.
    static let refund = """
        {
          "id": {{refund}},
          "object": "refund",
          "amount": {{amount}},
          "balance_transaction": {{balanceTransaction}},
          "charge": {{charge}},
          "created": {{created}},
          "currency": {{currency}},
          "customer": null,
          "customer_account": null,
          "destination_details": {{destination}},
        {{failure}}  "metadata": {},
          "payment_intent": {{paymentIntent}},
          "payment_method": null,
          "reason": {{reason}},
          "receipt_number": null,
          "source_transfer_reversal": null,
          "status": {{status}},
          "transfer_reversal": null
        }
        """

    /// A Dispute.
    static let dispute = """
        {
          "id": {{dispute}},
          "object": "dispute",
          "amount": {{amount}},
          "balance_transactions": {{balanceTransactions}},
          "charge": {{charge}},
          "created": {{created}},
          "currency": {{currency}},
          "enhanced_eligibility_types": [],
          "evidence": {
            "access_activity_log": null,
            "billing_address": null,
            "cancellation_policy": null,
            "cancellation_policy_disclosure": null,
            "cancellation_rebuttal": null,
            "customer_communication": null,
            "customer_email_address": {{email}},
            "customer_name": {{name}},
            "customer_purchase_ip": {{address}},
            "customer_signature": null,
            "duplicate_charge_documentation": null,
            "duplicate_charge_explanation": null,
            "duplicate_charge_id": null,
            "product_description": null,
            "receipt": null,
            "refund_policy": null,
            "refund_policy_disclosure": null,
            "refund_refusal_explanation": null,
            "service_date": null,
            "service_documentation": null,
            "shipping_address": null,
            "shipping_carrier": null,
            "shipping_date": null,
            "shipping_documentation": null,
            "shipping_tracking_number": null,
            "uncategorized_file": null,
            "uncategorized_text": null,
            "enhanced_evidence": {}
          },
          "evidence_details": {
            "due_by": {{dueBy}},
            "enhanced_eligibility": {},
            "has_evidence": {{hasEvidence}},
            "past_due": false,
            "submission_count": {{submissions}}
          },
          "is_charge_refundable": {{refundable}},
          "livemode": false,
          "metadata": {},
          "payment_intent": {{paymentIntent}},
          "payment_method_details": {
            "card": {
              "brand": {{brand}},
              "case_type": {{caseType}},
              "network": {{brand}},
              "network_reason_code": {{networkReason}}
            },
            "type": "card"
          },
          "reason": {{reason}},
          "status": {{status}}
        }
        """

    /// A BalanceTransaction, as a dispute embeds it.
    static let balanceTransaction = """
        {
          "id": {{balanceTransaction}},
          "object": "balance_transaction",
          "amount": {{amount}},
          "available_on": {{availableOn}},
          "balance_type": "payments",
          "created": {{created}},
          "currency": {{currency}},
          "description": {{description}},
          "exchange_rate": null,
          "fee": {{fee}},
          "fee_details": {{feeDetails}},
          "net": {{net}},
          "reporting_category": {{category}},
          "source": {{source}},
          "status": "pending",
          "type": {{type}}
        }
        """

    /// A Payout.
    static let payout = """
        {
          "id": {{payout}},
          "object": "payout",
          "amount": {{amount}},
          "application_fee": null,
          "application_fee_amount": null,
          "arrival_date": {{arrival}},
          "automatic": true,
          "balance_transaction": {{balanceTransaction}},
          "created": {{created}},
          "currency": {{currency}},
          "description": "STRIPE PAYOUT",
          "destination": {{destination}},
          "failure_balance_transaction": {{failureTransaction}},
          "failure_code": {{failureCode}},
          "failure_message": {{failureMessage}},
          "livemode": false,
          "metadata": {},
          "method": "standard",
          "original_payout": null,
          "payout_method": null,
          "reconciliation_status": {{reconciliation}},
          "reversed_by": null,
          "source_type": "card",
          "statement_descriptor": null,
          "status": {{status}},
          "trace_id": {{trace}},
          "type": "bank_account"
        }
        """

    /// The Event around an object (docs.stripe.com/api/events/object).
    static let event = """
        {
          "id": {{event}},
          "object": "event",
        {{account}}  "api_version": {{apiVersion}},
          "created": {{created}},
          "data": {
            "object": {{object}}{{previousAttributes}}
          },
          "livemode": false,
          "pending_webhooks": 1,
          "request": {
            "id": {{request}},
            "idempotency_key": {{idempotencyKey}}
          },
          "type": {{type}}
        }
        """
}
