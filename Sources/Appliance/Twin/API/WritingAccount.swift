import Traffic
import Vocabulary

/// An account as Stripe's API writes it. Nothing in it changes here but its id.
extension TwinBooks {
    /// `acct_…`, also of the platform.
    var accountID: String { account ?? ids.string(.account, ObjectSerial(1 << 40)) }

    func writeAccount(
        _ then: TwinAccountProfile? = nil, into writer: inout JSONWriter
    ) {
        let profile = then ?? profile
        writer.beginObject()
        writer.member("id", accountID)
        writer.member("object", "account")
        writer.object("business_profile") {
            $0.object("annual_revenue") { $0.nulls("amount", "currency", "fiscal_year_end") }
            $0.nulls(
                "estimated_worker_count", "mcc", "minority_owned_business_designation")
            $0.member("name", profile.name)
            $0.nulls("product_description")
            $0.address(TwinAddress(), as: "support_address")
            $0.nulls("support_email", "support_phone", "support_url", "url")
        }
        writer.nulls("business_type")
        writer.object("capabilities") {
            $0.member("card_payments", "active")
            $0.member("transfers", "active")
        }
        writer.member("charges_enabled", true)
        writer.object("controller") { $0.member("type", "account") }
        writer.member("country", profile.country)
        writer.member("created", opened)
        writer.member("default_currency", "usd")
        writer.member("details_submitted", true)
        writer.member("email", profile.email)
        writer.object("external_accounts") {
            $0.member("object", "list")
            $0.key("data")
            $0.beginArray()
            writeBankAccount(into: &$0)
            $0.endArray()
            $0.member("has_more", false)
            $0.member("url", "/v1/accounts/\(accountID)/external_accounts")
        }
        writeRequirements("future_requirements", into: &writer)
        writer.fields("metadata", profile.metadata)
        writer.member("payouts_enabled", true)
        writeRequirements("requirements", into: &writer)
        writeSettings(profile, into: &writer)
        writer.object("tos_acceptance") { $0.nulls("date", "ip", "user_agent") }
        writer.member("type", profile.type)
        writer.endObject()
    }

    private func writeRequirements(_ name: StaticString, into writer: inout JSONWriter) {
        writer.object(name) {
            $0.emptyArray("alternatives")
            $0.nulls("current_deadline")
            $0.emptyArray("currently_due")
            $0.nulls("disabled_reason")
            $0.emptyArray("errors")
            $0.emptyArray("eventually_due")
            $0.emptyArray("past_due")
            $0.emptyArray("pending_verification")
        }
    }

    private func writeSettings(
        _ profile: TwinAccountProfile, into writer: inout JSONWriter
    ) {
        writer.object("settings") {
            $0.object("bacs_debit_payments") { $0.nulls("display_name", "service_user_number") }
            $0.object("branding") { $0.nulls("icon", "logo", "primary_color", "secondary_color") }
            $0.object("card_issuing") {
                $0.object("tos_acceptance") { $0.nulls("date", "ip") }
            }
            $0.object("card_payments") {
                $0.object("decline_on") {
                    $0.member("avs_failure", false)
                    $0.member("cvc_failure", false)
                }
                $0.nulls(
                    "statement_descriptor_prefix", "statement_descriptor_prefix_kana",
                    "statement_descriptor_prefix_kanji")
            }
            $0.object("dashboard") {
                $0.nulls("display_name")
                $0.member("timezone", "Etc/UTC")
            }
            $0.object("invoices") {
                $0.nulls("default_account_tax_ids", "hosted_payment_method_save")
            }
            $0.object("payments") {
                $0.nulls(
                    "statement_descriptor", "statement_descriptor_kana",
                    "statement_descriptor_kanji", "statement_descriptor_prefix_kana",
                    "statement_descriptor_prefix_kanji")
            }
            $0.object("payouts") {
                $0.member("debit_negative_balances", true)
                $0.object("schedule") {
                    $0.member("delay_days", settings.settlementDays)
                    let schedule = profile.payoutSchedule ?? settings.payoutSchedule
                    $0.member("interval", schedule.rawValue)
                }
                $0.nulls("statement_descriptor")
            }
            $0.emptyObject("sepa_debit_payments")
        }
    }
}
