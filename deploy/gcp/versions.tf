terraform {
  # Secrets are made as ephemeral values and written through write-only arguments (1.11), so that
  # no password of Postgres stands in the state.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # The state holds Redis's password (the provider reads it there), so it belongs into a bucket that
  # few may read: terraform init -backend-config="bucket=…", as docs/GCP.md says.
  backend "gcs" {
    prefix = "tillbox"
  }
}

provider "google" {
  project = var.project
  region  = var.region

  default_labels = {
    app = "tillbox"
  }
}

data "google_project" "this" {
  project_id = var.project
}
