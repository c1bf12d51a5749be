{#-
    Raises on every config of this model that is neither among those that its materialization honours
    nor one that dbt sees to itself, whatever the materialization.
-#}
{% macro raise_on_configs_except(honoured) %}
    {%- set of_dbt = [
        'access', 'alias', 'database', 'docs', 'enabled', 'event_time', 'group', 'materialized',
        'meta', 'packages', 'quoting', 'schema', 'static_analysis', 'tags'
    ] -%}
    {%- set unset = {
        'contract': {'enforced': false, 'alias_types': true},
        'lookback': 1,
        'on_configuration_change': 'apply',
        'on_schema_change': 'ignore',
    } -%}
    {%- for config, value in model.config.items() -%}
        {%- if config not in honoured + of_dbt and value not in [none, [], {}, unset.get(config)] -%}
            {{ exceptions.raise_compiler_error(
                'The materialization ' ~ model.config.materialized ~ ' does not honour the config `'
                ~ config ~ '`: remove it from ' ~ model.name ~ '.'
            ) }}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
