{#-
    Takes a relation out of the way without a `drop … cascade`, which would take what stands on it
    along: views go on reading the retired one until they are replaced.
-#}
{% macro retire(relation) %}
    {%- if relation is not none -%}
        {%- set kind = (relation.type | string).replace('_', ' ') -%}
        {%- set name = 'retired_' ~ local_md5(relation ~ modules.datetime.datetime.now())[:12] -%}
        {% call statement('retire') -%}
            alter {{ kind }} {{ relation }} rename to {{ name }}
        {%- endcall %}
    {%- endif -%}
{% endmacro %}

{#-
    Drops what is retired, and views of models that have left the project, once nothing leans on
    them any more; the rest waits for another run, and so does what somebody reads.
-#}
{% macro drop_retired() %}
    {%- set models = graph.get('nodes', {}).values() | selectattr('resource_type', 'equalto', 'model') -%}
    do $$
    declare
        retired record;
        is_progress boolean := true;
    begin
        set local lock_timeout = '1s';
        while is_progress loop
            is_progress := false;
            for retired in
                select
                    class.oid::regclass as relation,
                    case class.relkind
                        when 'v' then 'view'
                        when 'm' then 'materialized view'
                        else 'table'
                    end as kind
                from pg_class as class
                where
                    class.relnamespace::regnamespace::text like 'worklist%'
                    and (
                        (class.relkind in ('r', 'v', 'm') and class.relname like 'retired\_%')
                        or (
                            class.relkind = 'v'
                            and class.relnamespace = to_regnamespace('worklist_build')
                            and class.relname not in (
                                '{{ models | map(attribute="alias") | join("', '") }}'
                            )
                        )
                    )
            loop
                begin
                    execute format('drop %s %s', retired.kind, retired.relation);
                    is_progress := true;
                exception when dependent_objects_still_exist or lock_not_available then
                    null;
                end;
            end loop;
        end loop;
    end $$
{% endmacro %}
