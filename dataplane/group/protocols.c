/* SPDX-License-Identifier: Apache-2.0 */
/* What members can speak, and the vote: among the protocols that all members know, each member votes for
 * the one it names first. A newcomer can stand in for the static member it replaces. */
#include "dataplane/group/group_internal.h"

struct slice member_metadata(const struct group_member *member, struct slice protocol_name)
{
    for (size_t i = 0; i < member->protocol_count; i++)
        if (slice_equal(member->protocols[i].name, protocol_name))
            return member->protocols[i].metadata;
    return SLICE_LITERAL("");
}

static bool knows_protocol(const struct group_member *member, struct slice name)
{
    for (size_t i = 0; i < member->protocol_count; i++)
        if (slice_equal(member->protocols[i].name, name))
            return true;
    return false;
}

bool member_matches_protocols(const struct group_member *member,
                              const struct group_join_request *request)
{
    if (member->protocol_count != request->protocol_count)
        return false;
    for (size_t i = 0; i < member->protocol_count; i++) {
        struct slice metadata = request->protocols[i].metadata;

        if (!slice_equal(member->protocols[i].name, request->protocols[i].name) ||
            member->protocols[i].metadata.len != metadata.len)
            return false;
        if (metadata.len > 0 &&
            memcmp(member->protocols[i].metadata.data, metadata.data, metadata.len) != 0)
            return false;
    }
    return true;
}

/* With newcomer standing in for old. */
static bool all_know(const struct group *group, struct slice name, const struct group_member *old,
                     const struct group_member *newcomer)
{
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);

        if (!knows_protocol(member == old ? newcomer : member, name))
            return false;
    }
    return true;
}

bool group_supports_protocols(const struct group *group, const struct group_join_request *request)
{
    if (request->protocol_type.len == 0 || request->protocol_count == 0)
        return false;
    if (group->state == GROUP_EMPTY || group->member_count == 0)
        return true;
    if (!slice_equal(group->protocol_type, request->protocol_type))
        return false;
    for (size_t i = 0; i < request->protocol_count; i++)
        if (all_know(group, request->protocols[i].name, NULL, NULL))
            return true;
    return false;
}

struct candidate {
    struct slice name;
    size_t votes;
};

/* The vote of one member: its first protocol that is a candidate. */
static void vote(const struct group_member *member, struct candidate *candidates, size_t count)
{
    for (size_t i = 0; i < member->protocol_count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (!slice_equal(member->protocols[i].name, candidates[k].name))
                continue;
            candidates[k].votes++;
            return;
        }
    }
}

static struct slice most_voted(const struct candidate *candidates, size_t count)
{
    struct candidate best = {SLICE_NULL, 0};

    for (size_t k = 0; k < count; k++)
        if (candidates[k].votes > best.votes)
            best = candidates[k];
    return best.name;
}

struct slice group_select_protocol(const struct group *group, const struct group_member *old,
                                   const struct group_member *newcomer)
{
    struct candidate candidates[MAX_PROTOCOLS];
    const struct group_member *first = NULL;
    size_t count = 0;

    if (list_is_empty(&group->members))
        return SLICE_NULL;
    /* What all know is among what the first member knows. */
    first = container_of(group->members.next, struct group_member, link);
    if (first == old)
        first = newcomer;
    for (size_t i = 0; i < first->protocol_count; i++)
        if (all_know(group, first->protocols[i].name, old, newcomer))
            candidates[count++] = (struct candidate){first->protocols[i].name, 0};
    list_for_each(&group->members, node)
    {
        const struct group_member *member = container_of(node, struct group_member, link);

        vote(member == old ? newcomer : member, candidates, count);
    }
    return most_voted(candidates, count);
}
