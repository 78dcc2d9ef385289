{#
    Three macros that dbt_stripe calls and that not every release of fivetran_utils has, for one
    source: .ci/fivetran puts those that are missing beside that package's own.
#}

{# A table of the source, whole; one that nobody writes is empty. #}
{% macro union_connections(connection_dictionary, single_source_name, single_table_name) %}
{% set wanted = source(single_source_name, single_table_name) %}
{% if execute and load_relation(wanted) is none %}
select cast(null as {{ dbt.type_timestamp() }}) as _fivetran_synced where false
{% else %}
select * from {{ wanted }}
{% endif %}
{% endmacro %}

{# The column that names the source of a row: of one source it is empty. #}
{% macro apply_source_relation(package_name=none) %}
, cast('' as {{ dbt.type_string() }}) as source_relation
{% endmacro %}

{# What parts windows by source: of one source nothing does. #}
{% macro partition_by_source_relation(package_name=none, alias=none) %}{% endmacro %}
