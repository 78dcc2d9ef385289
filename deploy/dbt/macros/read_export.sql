{#
    On DuckDB: the exported files as views, named as the tables that a loader makes in BigQuery.

    Each column gets the type that its source declares. Left to itself DuckDB makes HUGEINT of
    signed amounts and loses, without a word, a column that is null in its first 20,480 rows. A
    table of which no file was written is empty, and has its columns.

    TILLBOX_WAREHOUSE names the folder; by default `tillbox-data/warehouse`.
#}
{% macro read_export() %}
    {% if execute and target.type == 'duckdb' %}
        {% set folder = env_var('TILLBOX_WAREHOUSE', 'tillbox-data/warehouse') %}
        {% for source in graph.sources.values() if source.package_name == 'tillbox' %}
            {% do run_query('create schema if not exists ' ~ source.schema) %}
            {% do run_query(exported_view(source, folder)) %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{% macro exported_view(source, folder) %}
    {% set files = folder ~ '/' ~ source.meta['files'] %}
    {% set types = {
        'string': 'varchar', 'int64': 'bigint', 'float64': 'double', 'bool': 'boolean',
        'date': 'date', 'timestamp': 'timestamp', 'sums': 'struct("column" varchar, currency '
            ~ 'varchar, "rows" bigint, "sum" varchar)[]'} %}
    {% set columns = [] %}
    {% for column in source.columns.values() %}
        {% do columns.append('"' ~ column.name ~ '": \'' ~ types[column.data_type] ~ '\'') %}
    {% endfor %}
    {% set found = run_query("select count(*) from glob('" ~ files ~ "')").columns[0].values()[0] %}
    create or replace view {{ source.schema }}.{{ source.identifier }} as
    {% if found > 0 %}
        select * from read_json(
            '{{ files }}', format = '{{ source.meta['format'] }}', hive_partitioning = false,
            columns = {{ '{' ~ columns | join(', ') ~ '}' }}
        )
    {% else %}
        select
        {% for column in source.columns.values() %}
            cast(null as {{ types[column.data_type] }}) as "{{ column.name }}"
            {{- ',' if not loop.last }}
        {% endfor %}
        where false
    {% endif %}
{% endmacro %}
