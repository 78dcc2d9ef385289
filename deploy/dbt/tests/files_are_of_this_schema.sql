-- Columns of another version of the schema would be read as though they were these.
{{ config(enabled=(target.type == 'duckdb')) }}

select "table" as name, dt as day, schema_version
from {{ source('export', 'manifests') }}
where schema_version is null or schema_version <> 1
