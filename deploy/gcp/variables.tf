variable "project" {
  description = "The project's id. Give tillbox one of its own: roles are granted on it."
  type        = string
}

variable "region" {
  description = "Where all of it runs."
  type        = string
  default     = "europe-west1"
}

variable "size" {
  description = "small, medium or large: sizes.tf says what each is, docs/GCP.md what it costs."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "medium", "large"], var.size)
    error_message = "The size is small, medium or large."
  }
}

variable "stage" {
  description = <<-EOT
    How far it is built: ground (servers, networks, accounts, empty secrets), jobs (the image is
    there), webhook (Stripe is answered), roles (all of it runs). docs/GCP.md goes through them in
    this order, and so does moving a box.
  EOT
  type        = string
  default     = "ground"

  validation {
    condition     = contains(["ground", "jobs", "webhook", "roles"], var.stage)
    error_message = "The stage is ground, jobs, webhook or roles."
  }
}

variable "image" {
  description = "Tillbox's image by digest, REGION-docker.pkg.dev/PROJECT/tillbox/tillbox@sha256:…; from the stage jobs on."
  type        = string
  default     = ""

  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest (…@sha256:…), so that what was tested is what runs."
  }
}

variable "export_image" {
  description = <<-EOT
    The same image as root, by digest, for the sizes whose export has a disk: who writes to NFS in
    Cloud Run must be root, and Tillbox's image is not. docs/GCP.md says how it is made.
  EOT
  type        = string
  default     = ""

  validation {
    condition     = var.export_image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.export_image))
    error_message = "Name the image by its digest (…@sha256:…), so that what was tested is what runs."
  }
}

variable "psql_image" {
  description = <<-EOT
    An image with psql, by digest, for the job that gives the roles their rights in Postgres: it is
    handed the owner's password and every role's, so that a tag which somebody moves must not
    decide what runs. docs/GCP.md says how the digest is found; from the stage jobs on.
  EOT
  type        = string
  default     = ""

  validation {
    condition     = var.psql_image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.psql_image))
    error_message = "Name the image by its digest (…@sha256:…), so that what was tested is what runs."
  }
}

variable "metrics_image" {
  description = <<-EOT
    Google's collector, which runs beside each role and reads its /metrics. By its tag, as Google
    gives it out: the registry is that of whoever runs the role itself. A digest does as well.
  EOT
  type        = string
  default     = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.7.0"
}

variable "webhook_host" {
  description = "The name that Stripe delivers to, such as hooks.example.com; its DNS points at the output address."
  type        = string
}

variable "console_host" {
  description = "The name of the console, such as tillbox.example.com; its DNS points at the same address."
  type        = string
}

variable "console_people" {
  description = "Who may come past Identity-Aware Proxy to the console's own door: user:ann@example.com, group:…"
  type        = set(string)

  validation {
    condition     = alltrue([for one in var.console_people : can(regex("^(user|group):[^@]+@[^@]+$", one))])
    error_message = "Name people as user:ann@example.com or group:finance@example.com, and never allUsers."
  }
}

variable "alert_emails" {
  description = "Where alerts go."
  type        = set(string)
}

variable "livemode" {
  description = "Which events are taken: live, or test for a trial with Stripe's test mode."
  type        = string
  default     = "live"

  validation {
    condition     = contains(["live", "test"], var.livemode)
    error_message = "It is live or test."
  }
}

variable "merchant" {
  description = "merchant.default: whose money it is where an event names no Connect account."
  type        = string
  default     = "default"
}

variable "verdict" {
  description = "Tighter rules of the score role: review_from, block_from, amount_limits (docs/CONFIGURATION.md)."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.verdict) : contains(["review_from", "block_from", "amount_limits"], key)])
    error_message = "There are review_from, block_from and amount_limits."
  }
}

variable "features" {
  description = "Who computes vectors: stand_in (one instance of tillbox cloud features) or spark (a job elsewhere, docs/SPARK.md)."
  type        = string
  default     = "stand_in"

  validation {
    condition     = contains(["stand_in", "spark"], var.features)
    error_message = "It is stand_in or spark."
  }
}

variable "moving_box" {
  description = "Whether a box is being moved in: makes the account that its bridges use (docs/GCP.md)."
  type        = bool
  default     = false
}

variable "password_generation" {
  description = "Raise it by one for new passwords in Postgres; then run the jobs grants and deploy anew."
  type        = number
  default     = 1
}

variable "bigquery_location" {
  description = "Where the datasets are: EU, US or a region."
  type        = string
  default     = "EU"
}
